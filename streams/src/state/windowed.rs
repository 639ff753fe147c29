//! Keys that belong to a window.

/// A window, in milliseconds since the epoch. Whether it holds its end, its kind says: tumbling and hopping windows do not,
/// sliding windows and sessions do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// Its first millisecond.
    pub start: i64,
    /// Its end.
    pub end: i64,
}

/// A key in a window.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Windowed<K> {
    /// The key.
    pub key: K,
    /// The window.
    pub window: Window,
}
