//! The neutral server of the benchmarks and the native client that they compare with.

mod client;
mod feed;
mod server;

use std::env;
use std::error::Error;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str = "usage: wsbench serve FOLDER SPEED | wsbench echo URL SIZE";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", folder, speed] => server::serve(folder.as_ref(), speed.parse()?).await,
        ["echo", url, size] => client::echo(url, size.parse()?).await,
        _ => Err(USAGE.into()),
    }
}
