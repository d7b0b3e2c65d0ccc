//! The limits of matchers: their names, their units, and what happens when they are reached.

/// Bytes of an expression. A longer one is refused.
pub const EXPRESSION_BYTES_MAX: usize = 4 * 1024;
/// Bytes that a compiled expression may take. One that needs more, such as `(a{1000}){1000}`, is refused.
pub const COMPILED_BYTES_MAX: usize = 1024 * 1024;
/// Bytes that the cache of a matching expression may take. Past it, matching is slower and not wrong.
pub const CACHE_BYTES_MAX: usize = 256 * 1024;
/// How deep groups of an expression may nest. Deeper ones are refused.
pub const NESTING_MAX: u32 = 100;
/// Matchers of one list. More are refused.
pub const MATCHERS_MAX: usize = 100;
