//! Enums of fixed words, as flags and files have them.

/// Gives an enum of fixed words its `Display` and `FromStr`.
macro_rules! words {
    ($type:ident, $what:literal, $($variant:ident = $word:literal),+) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(match self { $(Self::$variant => $word),+ })
            }
        }

        impl std::str::FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    other => Err(format!(
                        concat!("'{}' is not a ", $what, "; use one of: {}"),
                        other,
                        [$($word),+].join(", ")
                    )),
                }
            }
        }
    };
}

pub(crate) use words;
