//! Says what a source holds, from the samples that were read of it.
//! A probe is accumulated chunk by chunk, so that a playlist and a file are told in the same words.
