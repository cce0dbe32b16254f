//! Where chunks come from: HLS, a directory, a file.
