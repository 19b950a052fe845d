//! What the decoder of GIF does not notice.

/// Whether the first picture of a GIF reaches beyond its screen. Browsers and Pillow make the screen larger, the decoder would
/// cut the picture off.
pub(super) fn reaches_beyond(bytes: &[u8]) -> bool {
    first_picture(bytes).unwrap_or(false)
}

fn first_picture(bytes: &[u8]) -> Option<bool> {
    let number = |at: usize| Some(u32::from(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?)));
    let (width, height, flags) = (number(6)?, number(8)?, *bytes.get(10)?);
    let mut at = 13;
    if flags & 0x80 != 0 {
        at += 3 << ((flags & 7) + 1);
    }
    loop {
        match bytes.get(at)? {
            // An extension: its label, then blocks with their lengths before them, the last of length 0.
            0x21 => {
                at += 2;
                loop {
                    let length = usize::from(*bytes.get(at)?);
                    at += 1 + length;
                    if length == 0 {
                        break;
                    }
                }
            }
            0x2C => {
                let across = number(at + 1)? + number(at + 5)?;
                let down = number(at + 3)? + number(at + 7)?;
                return Some(across > width || down > height);
            }
            _ => return None,
        }
    }
}
