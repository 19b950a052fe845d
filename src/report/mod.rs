//! Report: the measurement as JSON, CSV and one self-contained HTML page.
