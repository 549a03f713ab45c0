//! The plugin's executable.

fn main() {}
