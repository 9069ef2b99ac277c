//! The program; everything is in the library.

fn main() {
    eprintln!("ocirun: no command is there yet");
    std::process::exit(1);
}
