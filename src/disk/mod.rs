//! The disk: reads regular files of bounded size, puts files there whole or not at all, and the traits that let a test lose power. Knows no format.

mod durable;
mod place;
mod read;

pub use durable::{Batch, FolderLock, LockError, make_folder, replace, replace_open, sync_folder_of};
pub use place::{Octets, Place, Store};
pub use read::*;
