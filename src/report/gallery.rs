//! The pictures of the page. They are not part of `report.json`.

use image::ImageFormat;

/// Pictures a caller wants to have on the page. Every one is embedded: a few for each class are enough.
#[derive(Clone, Debug, Default)]
pub struct Gallery {
    /// Easiest and hardest images of each class, in class order.
    pub classes: Vec<ClassPictures>,
    /// Some composites.
    pub composites: Vec<CompositePicture>,
}

/// The two ends of one class.
#[derive(Clone, Debug, Default)]
pub struct ClassPictures {
    /// Folder name of the class.
    pub class: String,
    /// Images with the lowest scores, the easiest first.
    pub easiest: Vec<Picture>,
    /// Images with the highest scores, the hardest first.
    pub hardest: Vec<Picture>,
}

/// One encoded picture.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// A whole PNG or JPEG file.
    pub file: Vec<u8>,
    /// Path relative to the data folder.
    pub path: String,
    /// Its EL2N, if it has one.
    pub score: Option<f64>,
}

/// One composite and the images it is made of.
#[derive(Clone, Debug, Default)]
pub struct CompositePicture {
    /// The stored composite.
    pub picture: Picture,
    /// Folder name of its class.
    pub class: String,
    /// Path of the source of each tile, row by row.
    pub sources: Vec<String>,
}

impl Picture {
    /// The file as a `data:` URI, typed by its content.
    pub fn data_uri(&self) -> String {
        let format = image::guess_format(&self.file).unwrap_or(ImageFormat::Png);
        format!("data:{};base64,{}", format.to_mime_type(), base64(&self.file))
    }
}

/// Base64 with the standard alphabet and padding (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().zip([16, 8, 0]).fold(0_u32, |bits, (&byte, shift)| bits | u32::from(byte) << shift);
        for (i, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            text.push(if i <= chunk.len() { ALPHABET[(bits >> shift) as usize & 63] as char } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_gives_the_test_vectors_of_rfc_4648() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xFB, 0xFF, 0xFE]), "+//+");
    }

    #[test]
    fn a_picture_is_typed_by_its_content() {
        let jpeg = Picture { file: vec![0xFF, 0xD8, 0xFF, 0xE0], ..Picture::default() };
        assert!(jpeg.data_uri().starts_with("data:image/jpeg;base64,/9j/"));
        let png = Picture { file: b"\x89PNG\r\n\x1a\n".to_vec(), ..Picture::default() };
        assert!(png.data_uri().starts_with("data:image/png;base64,iVBORw0K"));
    }
}
