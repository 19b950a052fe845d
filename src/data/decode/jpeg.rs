//! Markers of a JPEG: what kind it is, what its channels are, where its scans lie.
//!
//! They are read before any decoder is asked. A decoder may take a kind that it does not know for damage, or return success
//! with other pixels; and it may read other colours from the same markers than the rest of the world.

use super::error::DecodeError;

/// Colours of the channels, by the rules of libjpeg, which cameras, editors and browsers follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    Gray,
    /// Brightness and two differences of colour.
    YCbCr,
    Rgb,
    /// Four inks, inverted.
    Cmyk,
    /// Three inks as brightness and two differences, and inverted black.
    Ycck,
}

/// A channel as the frame describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Channel {
    pub(super) id: u8,
    /// Samples across and down where another channel may have more or fewer.
    pub(super) across: u8,
    pub(super) down: u8,
    pub(super) quantization: u8,
}

/// What is told before the first scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) progressive: bool,
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) channels: Vec<Channel>,
}

/// A part of the file that a decoder needs.
#[derive(Clone, Debug)]
pub(super) enum Part<'a> {
    /// Quantization, Huffman codes, or the distance of restarts.
    Tables { marker: u8, body: &'a [u8] },
    /// A scan: its channels with their tables, the three bytes that follow them, and its coded pixels.
    Scan { channels: Vec<(usize, u8)>, progress: [u8; 3], data: &'a [u8] },
}

/// A JPEG by its markers.
#[derive(Clone, Debug)]
pub(super) struct Jpeg<'a> {
    pub(super) frame: Frame,
    pub(super) colour: Colour,
    pub(super) parts: Vec<Part<'a>>,
    pub(super) exif: Vec<u8>,
    pub(super) xmp: Option<&'a [u8]>,
}

pub(super) const SOF_BASELINE: u8 = 0xC0;
pub(super) const SOF_PROGRESSIVE: u8 = 0xC2;
pub(super) const DHT: u8 = 0xC4;
pub(super) const SOI: u8 = 0xD8;
pub(super) const EOI: u8 = 0xD9;
pub(super) const SOS: u8 = 0xDA;
const DQT: u8 = 0xDB;
const DRI: u8 = 0xDD;
const APP0: u8 = 0xE0;
const APP1: u8 = 0xE1;
const APP14: u8 = 0xEE;

/// A JPEG of a kind that is not read.
pub(super) fn unsupported(kind: &str) -> DecodeError {
    DecodeError::Unsupported {
        format: "JPEG".to_owned(),
        reason: format!(
            "{kind} is not supported; save it as a baseline or progressive JPEG of 8 bits, or as PNG"
        ),
    }
}

pub(super) fn damaged(reason: &str) -> DecodeError {
    DecodeError::Damaged { format: "JPEG".to_owned(), reason: reason.to_owned() }
}

fn truncated() -> DecodeError {
    DecodeError::Truncated { format: "JPEG".to_owned() }
}

/// What the markers up to the first scan say of colours.
#[derive(Default)]
struct Application {
    jfif: bool,
    adobe: Option<u8>,
}

impl<'a> Jpeg<'a> {
    /// Reads what comes before the first scan; `parts` holds no scan.
    ///
    /// # Errors
    /// A kind that is not read, damage, or an early end.
    pub(super) fn head(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        Self::read(bytes, false)
    }

    /// Reads all markers to the end of the image. What follows it is nothing to us: cameras append previews.
    ///
    /// # Errors
    /// A kind that is not read, damage, or an early end.
    pub(super) fn whole(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        Self::read(bytes, true)
    }

    fn read(bytes: &'a [u8], whole: bool) -> Result<Self, DecodeError> {
        let (mut frame, mut application) = (None, Application::default());
        let (mut exif, mut xmp, mut parts) = (Vec::new(), None, Vec::new());
        let (mut at, mut scans) = (2, 0);
        loop {
            let marker = next_marker(bytes, &mut at).ok_or_else(truncated)?;
            match marker {
                // Markers without a segment.
                0x01 | 0xD0..=0xD7 => continue,
                // Another image begins where this one has not ended.
                SOI => return Err(truncated()),
                EOI if scans > 0 => break,
                EOI => return Err(damaged("it holds no pixels")),
                _ => {}
            }
            let body = segment(bytes, &mut at)?;
            match marker {
                0xC0..=0xC2 if frame.is_some() => return Err(damaged("it has two frames")),
                0xC0..=0xC2 => frame = Some(Frame::read(marker == SOF_PROGRESSIVE, body)?),
                0xC3 => return Err(unsupported("lossless JPEG")),
                0xC9..=0xCC => return Err(unsupported("JPEG with arithmetic coding")),
                0xC5..=0xC7 | 0xCD..=0xCF | 0xDE | 0xDF => return Err(unsupported("hierarchical JPEG")),
                0xC8 | 0xF7 => return Err(unsupported("JPEG-LS")),
                DHT | DQT | DRI => parts.push(Part::Tables { marker, body }),
                APP0 if scans == 0 => application.jfif |= body.starts_with(b"JFIF\0") && body.len() >= 14,
                APP14 if scans == 0 && body.starts_with(b"Adobe") && body.len() >= 12 => {
                    application.adobe = Some(body[11]);
                }
                APP1 if scans == 0 => {
                    if let Some(part) = body.strip_prefix(b"Exif\0\0") {
                        exif.extend_from_slice(part);
                    } else if let Some(text) = body.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0") {
                        xmp = Some(text);
                    }
                }
                SOS => {
                    let frame: &Frame = frame.as_ref().ok_or_else(|| damaged("it has no frame"))?;
                    if !whole {
                        break;
                    }
                    let data = coded(bytes, &mut at);
                    parts.push(frame.scan(body, data)?);
                    scans += 1;
                }
                _ => {}
            }
        }
        let frame = frame.ok_or_else(|| damaged("it has no frame"))?;
        let colour = application.colour(&frame.channels);
        Ok(Self { frame, colour, parts, exif, xmp })
    }
}

impl Frame {
    fn read(progressive: bool, body: &[u8]) -> Result<Self, DecodeError> {
        let &[precision, h1, h0, w1, w0, count, ref rest @ ..] = body else {
            return Err(damaged("its frame is cut short"));
        };
        let (triples, rest) = rest.as_chunks::<3>();
        if triples.len() != usize::from(count) || !rest.is_empty() {
            return Err(damaged("its frame has another length than it says"));
        }
        let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
        if precision != 8 {
            return Err(unsupported(&format!("JPEG with {precision} bits a channel")));
        }
        if !matches!(count, 1 | 3 | 4) {
            return Err(unsupported(&format!("JPEG with {count} channels")));
        }
        if width == 0 {
            return Err(damaged("it is 0 pixels wide"));
        }
        if height == 0 {
            return Err(unsupported("JPEG that tells its height after its pixels"));
        }
        let channels: Vec<_> = triples
            .iter()
            .map(|&[id, factors, quantization]| Channel {
                id,
                across: factors >> 4,
                down: factors & 15,
                quantization,
            })
            .collect();
        if channels.iter().any(|c| !(1..=4).contains(&c.across) || !(1..=4).contains(&c.down)) {
            return Err(damaged("a channel has no possible number of samples"));
        }
        if (1..channels.len()).any(|i| channels[..i].iter().any(|c| c.id == channels[i].id)) {
            return Err(damaged("two of its channels have one name"));
        }
        Ok(Self { progressive, width, height, channels })
    }

    fn scan<'a>(&self, body: &'a [u8], data: &'a [u8]) -> Result<Part<'a>, DecodeError> {
        let cut = || damaged("the head of a scan has another length than it says");
        let (&count, rest) = body.split_first().ok_or_else(cut)?;
        let (pairs, progress) = rest.split_at_checked(2 * usize::from(count)).ok_or_else(cut)?;
        let progress = progress.try_into().map_err(|_| cut())?;
        let mut channels = Vec::new();
        for &[id, tables] in pairs.as_chunks::<2>().0 {
            let index = self.channels.iter().position(|c| c.id == id);
            let index = index.ok_or_else(|| damaged("a scan names a channel that its frame has not"))?;
            if channels.iter().any(|&(known, _)| known == index) {
                return Err(damaged("a scan names a channel twice"));
            }
            channels.push((index, tables));
        }
        if channels.is_empty() {
            return Err(cut());
        }
        Ok(Part::Scan { channels, progress, data })
    }

    /// Most samples that a channel has, across and down.
    pub(super) fn most(&self) -> (u8, u8) {
        let most = |of: fn(&Channel) -> u8| self.channels.iter().map(of).max().unwrap_or(1);
        (most(|c| c.across), most(|c| c.down))
    }

    /// Whether every channel's samples lie on a whole number of pixels.
    pub(super) fn even(&self) -> bool {
        let (across, down) = self.most();
        self.channels.iter().all(|c| across.is_multiple_of(c.across) && down.is_multiple_of(c.down))
    }
}

impl Application {
    fn colour(&self, channels: &[Channel]) -> Colour {
        let ids: Vec<u8> = channels.iter().map(|c| c.id).collect();
        match (channels.len(), self.jfif, self.adobe) {
            (1, ..) => Colour::Gray,
            (4, _, None | Some(0)) => Colour::Cmyk,
            (4, ..) => Colour::Ycck,
            (_, true, _) => Colour::YCbCr,
            (_, false, Some(0)) => Colour::Rgb,
            (_, false, Some(_)) => Colour::YCbCr,
            (_, false, None) if ids == *b"RGB" => Colour::Rgb,
            _ => Colour::YCbCr,
        }
    }
}

/// The next marker; `at` is then behind it. Bytes before it are stepped over, as are fill bytes.
fn next_marker(bytes: &[u8], at: &mut usize) -> Option<u8> {
    loop {
        *at += bytes.get(*at..)?.iter().position(|&b| b == 0xFF)?;
        *at += bytes[*at..].iter().position(|&b| b != 0xFF)?;
        *at += 1;
        match bytes[*at - 1] {
            0 => {}
            marker => return Some(marker),
        }
    }
}

fn segment<'a>(bytes: &'a [u8], at: &mut usize) -> Result<&'a [u8], DecodeError> {
    let &[high, low] = bytes.get(*at..*at + 2).ok_or_else(truncated)? else { return Err(truncated()) };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length < 2 {
        return Err(damaged("a segment is shorter than its own length"));
    }
    let body = bytes.get(*at + 2..*at + length).ok_or_else(truncated)?;
    *at += length;
    Ok(body)
}

/// Coded pixels up to the next marker. A byte `FF` among them is followed by a 0; restarts belong to them.
fn coded<'a>(bytes: &'a [u8], at: &mut usize) -> &'a [u8] {
    let start = *at;
    while let Some(step) = bytes[*at..].iter().position(|&b| b == 0xFF) {
        let first = *at + step;
        let fill = bytes[first..].iter().position(|&b| b != 0xFF).unwrap_or(bytes.len() - first);
        match bytes.get(first + fill) {
            Some(0 | 0xD0..=0xD7) => *at = first + fill + 1,
            _ => {
                *at = first;
                return &bytes[start..first];
            }
        }
    }
    *at = bytes.len();
    &bytes[start..]
}
