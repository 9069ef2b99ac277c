//! Images: the store and the root file systems made from it.
