//! The cluster itself: real where it must be, played as a test is told, and gone when its user is.

mod endings;
mod faults;
mod pods;
