//! From the scans of a JPEG to pixels.
//!
//! The decoder gets a file that we lay out ourselves: its own segments alone, and of the others none, so that nonsense in them
//! can change nothing, with the colours said in the one way in which it cannot misread them. What it would decode to other
//! pixels it never gets: channels in baseline scans of their own become a gray image each, which it decodes right, and are put
//! together here; the rest is refused.

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::error::DecodeError;
use super::jpeg::{
    Channel, Colour, EOI, Frame, Jpeg, Part, SOF_BASELINE, SOF_PROGRESSIVE, SOI, SOS, damaged, unsupported,
};
use super::planes::{Plane, join};

/// RGB pixels.
///
/// # Errors
/// A layout of scans that would not be decoded right, or damage.
pub(super) fn pixels(jpeg: &Jpeg<'_>) -> Result<Vec<u8>, DecodeError> {
    let frame = &jpeg.frame;
    let all = |part: &&Part<'_>| matches!(part, Part::Scan { .. });
    let Some(Part::Scan { channels: first, .. }) = jpeg.parts.iter().find(all) else {
        return Err(damaged("it holds no pixels"));
    };
    if !frame.even() {
        return Err(unsupported("JPEG whose channels lie on fractions of pixels"));
    }
    if !frame.progressive && first.len() < frame.channels.len() {
        return apart(jpeg);
    }
    if jpeg.colour == Colour::Gray {
        let gray = decode(&whole(jpeg), ColorSpace::Luma)?;
        return Ok(gray.into_iter().flat_map(|v| [v; 3]).collect());
    }
    if (frame.channels[0].across, frame.channels[0].down) != frame.most() {
        return Err(unsupported("JPEG with brightness sampled more coarsely than colour"));
    }
    if frame.channels.iter().any(|c| !c.across.is_power_of_two()) {
        return Err(unsupported("JPEG sampled by thirds"));
    }
    decode(&whole(jpeg), ColorSpace::RGB)
}

/// Channels in baseline scans of their own.
fn apart(jpeg: &Jpeg<'_>) -> Result<Vec<u8>, DecodeError> {
    let frame = &jpeg.frame;
    let mut planes: Vec<Option<Plane>> = frame.channels.iter().map(|_| None).collect();
    for (i, part) in jpeg.parts.iter().enumerate() {
        let Part::Scan { channels, data, .. } = part else { continue };
        let &[(index, tables)] = &channels[..] else {
            return Err(unsupported("baseline JPEG with some of its channels together in a scan"));
        };
        if planes[index].is_some() {
            return Err(damaged("a channel has two scans"));
        }
        let (most, channel) = (frame.most(), frame.channels[index]);
        let size = |side: u16, own: u8, most: u8| {
            (u32::from(side) * u32::from(own)).div_ceil(u32::from(most)) as u16
        };
        let alone = Frame {
            progressive: false,
            width: size(frame.width, channel.across, most.0),
            height: size(frame.height, channel.down, most.1),
            channels: vec![Channel { id: 1, across: 1, down: 1, ..channel }],
        };
        let mut file = start(&alone, Colour::Gray);
        jpeg.parts[..i].iter().for_each(|part| push(&mut file, part, Colour::Gray, false));
        push(
            &mut file,
            &Part::Scan { channels: vec![(0, tables)], progress: [0, 63, 0], data },
            Colour::Gray,
            true,
        );
        file.extend([0xFF, EOI]);
        let samples = decode(&file, ColorSpace::Luma)?;
        planes[index] = Some(Plane {
            width: usize::from(alone.width),
            samples,
            times: (usize::from(most.0 / channel.across), usize::from(most.1 / channel.down)),
        });
    }
    let planes: Option<Vec<_>> = planes.into_iter().collect();
    let planes = planes.ok_or_else(|| damaged("a channel has no scan"))?;
    Ok(join(&planes, usize::from(frame.width), usize::from(frame.height), jpeg.colour))
}

/// The file as the decoder gets it.
fn whole(jpeg: &Jpeg<'_>) -> Vec<u8> {
    let mut frame = jpeg.frame.clone();
    if let [only] = &mut frame.channels[..] {
        // A single channel has nothing to be sampled against.
        (only.across, only.down) = (1, 1);
    }
    let mut file = start(&frame, jpeg.colour);
    let mut scans = 0;
    for part in &jpeg.parts {
        // One scan of all channels is the whole of a baseline image.
        if scans > 0 && !frame.progressive {
            break;
        }
        scans += usize::from(matches!(part, Part::Scan { .. }));
        push(&mut file, part, jpeg.colour, true);
    }
    file.extend([0xFF, EOI]);
    file
}

/// Head of a file: its frame, and its colours said so that they cannot be misread.
fn start(frame: &Frame, colour: Colour) -> Vec<u8> {
    let mut file = vec![0xFF, SOI];
    // Huffman tables that are not there are those of motion JPEG, in which cameras leave them out.
    segment(&mut file, 0xE0, b"AVI1\0");
    match colour {
        Colour::Cmyk => segment(&mut file, 0xEE, b"Adobe\0\x64\0\0\0\0\0"),
        Colour::Ycck => segment(&mut file, 0xEE, b"Adobe\0\x64\0\0\0\0\x02"),
        Colour::Gray | Colour::YCbCr | Colour::Rgb => {}
    }
    let mut body = vec![8];
    body.extend(frame.height.to_be_bytes());
    body.extend(frame.width.to_be_bytes());
    body.push(frame.channels.len() as u8);
    for (i, channel) in frame.channels.iter().enumerate() {
        body.extend([name(i, colour), channel.across << 4 | channel.down, channel.quantization]);
    }
    segment(&mut file, if frame.progressive { SOF_PROGRESSIVE } else { SOF_BASELINE }, &body);
    file
}

fn push(file: &mut Vec<u8>, part: &Part<'_>, colour: Colour, with_scans: bool) {
    match part {
        Part::Tables { marker, body } => segment(file, *marker, body),
        Part::Scan { channels, progress, data } if with_scans => {
            let mut body = vec![channels.len() as u8];
            body.extend(channels.iter().flat_map(|&(i, tables)| [name(i, colour), tables]));
            body.extend(progress);
            segment(file, SOS, &body);
            file.extend_from_slice(data);
        }
        Part::Scan { .. } => {}
    }
}

fn name(channel: usize, colour: Colour) -> u8 {
    match colour {
        Colour::Rgb => b"RGB"[channel],
        _ => channel as u8 + 1,
    }
}

fn segment(file: &mut Vec<u8>, marker: u8, body: &[u8]) {
    file.extend([0xFF, marker]);
    file.extend((body.len() as u16 + 2).to_be_bytes());
    file.extend_from_slice(body);
}

fn decode(file: &[u8], colours: ColorSpace) -> Result<Vec<u8>, DecodeError> {
    let options = DecoderOptions::default()
        // Codes that do not exist are damage, never gray.
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_out_colorspace(colours);
    JpegDecoder::new_with_options(ZCursor::new(file), options)
        .decode()
        .map_err(|error| damaged(&error.to_string()))
}
