//! Opens one media file and reads it in windows of presentation time, so that a recording can be analysed like a stream.
//! A window holds whole groups of pictures, and every sample of the file belongs to exactly one window.
