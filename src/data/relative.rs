//! Paths that a file brings along, which may be a stranger's: they stay in the folder that they belong to.

/// A path that could lead out of its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// No path.
    #[error("an empty path")]
    Empty,
    /// A path from the root, of a drive or of another machine.
    #[error("not a relative path")]
    Absolute,
    /// A path that goes up, or on the spot.
    #[error("a path with '.' or '..' in it, or an empty part")]
    Upward,
    /// A character that no file system has in a name.
    #[error("a path with a NUL character")]
    Nul,
}

/// Checks that a path of a set (`ant/0000.png`) is relative and stays inside its folder, on whatever system it is read: `\`
/// counts as a separator where that would lead out, as do drives (`C:`) and other machines (`\\there\share`).
///
/// # Errors
/// [`PathError`].
pub fn ensure_relative(path: &str) -> Result<(), PathError> {
    if path.is_empty() {
        return Err(PathError::Empty);
    }
    if path.contains('\0') {
        return Err(PathError::Nul);
    }
    // On Windows whatever follows; elsewhere a folder may be called `a: first`.
    let drive = matches!(path.as_bytes(), [letter, b':', rest @ ..]
        if letter.is_ascii_alphabetic() && (cfg!(windows) || matches!(rest, [] | [b'/' | b'\\', ..])));
    if drive || path.starts_with(['/', '\\']) {
        return Err(PathError::Absolute);
    }
    if path.split('/').any(|part| matches!(part, "" | "."))
        || path.split(['/', '\\']).any(|part| part == "..")
    {
        return Err(PathError::Upward);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_inside_a_folder_is_relative_whatever_its_characters() {
        for path in [
            "a",
            "ant/0000.png",
            "a b/ü.png",
            "..ant/x..png",
            "...",
            "a\\b/c",
            "=x/-y",
            "<b>/é",
            "ab:c/d",
            "a.b:c",
        ] {
            assert_eq!(ensure_relative(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn a_path_that_could_lead_out_is_refused_on_every_system() {
        for (path, expected) in [
            ("", PathError::Empty),
            ("/etc/passwd", PathError::Absolute),
            ("\\etc", PathError::Absolute),
            ("\\\\there\\share\\x", PathError::Absolute),
            ("//there/share", PathError::Absolute),
            ("C:/x.png", PathError::Absolute),
            ("c:\\x.png", PathError::Absolute),
            ("c:", PathError::Absolute),
            ("..", PathError::Upward),
            ("../x", PathError::Upward),
            ("a/../../x", PathError::Upward),
            ("a/..", PathError::Upward),
            ("a\\..\\..\\x", PathError::Upward),
            ("./x", PathError::Upward),
            ("a//b", PathError::Upward),
            ("a/", PathError::Upward),
            ("a/\0.png", PathError::Nul),
        ] {
            assert_eq!(ensure_relative(path), Err(expected), "{path}");
        }
    }
}
