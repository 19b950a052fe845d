//! The browser and npm surface.
