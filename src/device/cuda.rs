//! An NVIDIA GPU's driver, asked before the engine asks it: cubecl panics where a card refuses.

use cudarc::driver::result::{DriverError, device, init, primary_ctx};

/// Takes hold of the card of a number, and says its name.
///
/// # Errors
/// The driver's reason: others have the card for themselves, say, or have filled its memory.
pub(super) fn take(number: usize) -> Result<String, String> {
    let card = || {
        init()?;
        let card = device::get(number as i32)?;
        // SAFETY: the driver has just named this card. The context is kept until the program ends: cubecl takes the same one.
        let _context = unsafe { primary_ctx::retain(card) }?;
        device::get_name(card)
    };
    card().map_err(reason)
}

/// The driver's own words.
fn reason(error: DriverError) -> String {
    match (error.error_string(), error.error_name()) {
        (Ok(words), Ok(name)) => format!("{} ({})", words.to_string_lossy(), name.to_string_lossy()),
        _ => error.to_string(),
    }
}
