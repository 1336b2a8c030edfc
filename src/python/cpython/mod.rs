//! Below PyO3: CPython's objects, calls and slots, where PyO3 costs too much on the path of every message
//! or cannot do it. Nearly all `unsafe` code of the binding is here.

pub mod call;
pub mod completion;
pub mod context;
pub mod cython;
pub mod entry;
pub mod fastcall;
mod flags;
pub mod future;
pub mod interpreter;
pub mod memory;
pub mod names;
pub mod process;
pub mod recycle;
pub mod slots;
pub mod tasks;
pub mod text;
