#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tilepress_fuzz::run("csv_writers", bytes));
