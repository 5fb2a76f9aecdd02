//! What the cases share: where the built library is, and how to open a database with it.
