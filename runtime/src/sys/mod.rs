//! System calls: one function a call, typed in, `io::Result` out, no policy. All `unsafe` of this
//! package is here.
