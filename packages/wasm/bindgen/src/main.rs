//! `bindgen MODULE.wasm OUT`: writes the module for the web into the folder OUT, with its JavaScript and types. It is what
//! `wasm-bindgen --target web` does, without the HTTP client and server of that program's crate.

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    let [module, out] = match <[String; 2]>::try_from(env::args().skip(1).collect::<Vec<_>>()) {
        Ok(arguments) => arguments,
        Err(_) => {
            eprintln!("usage: bindgen MODULE.wasm OUT");
            return ExitCode::from(2);
        }
    };
    let mut bindgen = wasm_bindgen_cli_support::Bindgen::new();
    let written = bindgen.web(true).and_then(|bindgen| {
        bindgen
            .input_path(module)
            .omit_default_module_path(false)
            .remove_name_section(true)
            .remove_producers_section(true)
            .typescript(true)
            .generate(out)
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bindgen: {error:#}");
            ExitCode::FAILURE
        }
    }
}
