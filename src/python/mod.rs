//! The binding to Python.
