//! Words and numbers of options, columns and names.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use tilepress::augment::{Crop, CropChoice};
use tilepress::combine::{Format, IpcCounts};
use tilepress::data::{ContentHash, Filter, Fit, Grid, Look};
use tilepress::evaluate::Method;
use tilepress::prune::{Fill, Rule};
use tilepress::score::{Metric, parse_window, window_text};

/// What can be read is written as something that reads back as the same.
pub(crate) fn words(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    reads_back::<Grid>(&text);
    reads_back::<Rule>(&text);
    reads_back::<Fill>(&text);
    reads_back::<Fit>(&text);
    reads_back::<Filter>(&text);
    reads_back::<Metric>(&text);
    reads_back::<IpcCounts>(&text);
    reads_back::<ContentHash>(&text);
    reads_back::<Look>(&text);
    reads_back::<Crop>(&text);
    reads_back::<CropChoice>(&text);
    let _ = text.parse::<Format>();
    if let Ok(window) = parse_window(&text) {
        assert!(window.start < window.end);
        assert_eq!(parse_window(&window_text(&window)), Ok(window));
    }
    if let Ok(method) = text.parse::<Method>() {
        assert_eq!(method.name().parse(), Ok(method), "{text:?}");
        assert!(method.is(&text));
    }
    let _ = Method::whole_of(&text);
}

fn reads_back<T: FromStr + Display + PartialEq + Debug>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let written = value.to_string();
        assert_eq!(written.parse().ok(), Some(value), "{text:?} is written as {written:?}");
    }
}
