//! The environment variables of the options: errors in their values name them, and unknown ones are found.
//!
//! Owns what a variable that the program does not understand is reported as. Must not know what the options mean.

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use clap::{Arg, Command};
use detente_condition::{did_you_mean, nearest};
use std::ffi::{OsStr, OsString};

/// Prefix of the names of all variables that the program reads.
const PREFIX: &str = "DETENTE_";
/// Ends of the name of the variable with which Kubernetes tells a container about a service; see [`unknown`].
const SERVICE_HOST: &str = "_SERVICE_HOST";

/// Adds the names of variables to an error of the command line.
///
/// clap names only the flag of an option, also if its value comes from a variable. Who set a variable, perhaps in a
/// manifest, would look for a flag that nobody wrote.
pub(crate) fn name_variables(mut error: Error, program: &Command, arguments: &[OsString]) -> Error {
    let command = command_of(program, arguments);
    if error.kind() == ErrorKind::InvalidUtf8
        && let Some(variable) = options(command).filter_map(Arg::get_env).find(|name| is_not_text(name))
    {
        let text = format!("the value of {} is not valid UTF-8", variable.display());
        return Error::raw(ErrorKind::InvalidUtf8, text + "\n");
    }
    for kind in [ContextKind::InvalidArg, ContextKind::PriorArg] {
        let is_missing = error.kind() == ErrorKind::MissingRequiredArgument;
        let named = |shown: &String| name_variable(shown, command, arguments, is_missing);
        let value = match error.get(kind) {
            Some(ContextValue::String(shown)) => ContextValue::String(named(shown)),
            Some(ContextValue::Strings(all)) => ContextValue::Strings(all.iter().map(named).collect()),
            _ => continue,
        };
        error.insert(kind, value);
    }
    error
}

/// Returns the command of the arguments; without one, the program serves.
fn command_of<'a>(program: &'a Command, arguments: &[OsString]) -> &'a Command {
    let name = arguments.get(1).map_or(OsStr::new("serve"), OsString::as_os_str);
    program.find_subcommand(name).unwrap_or(program)
}

fn options(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|option| option.get_long().is_some())
}

fn is_not_text(variable: &OsStr) -> bool {
    std::env::var_os(variable).is_some_and(|value| value.to_str().is_none())
}

/// Adds the variable to an option as clap shows it (`--max-calls <COUNT>`), if its value comes from the variable.
///
/// A variable is also named if the option is missing, because it can supply the value.
fn name_variable(shown: &str, command: &Command, arguments: &[OsString], is_missing: bool) -> String {
    let flag = shown.split([' ', '=', '[']).next().unwrap_or_default();
    let option = options(command).find(|option| option.get_long() == flag.strip_prefix("--"));
    match option.and_then(Arg::get_env) {
        Some(variable) if is_missing || (std::env::var_os(variable).is_some() && !is_written(flag, arguments)) => {
            format!("{shown} ({})", variable.display())
        }
        _ => shown.to_owned(),
    }
}

/// Whether the flag is among the arguments, and therefore overrides its variable.
fn is_written(flag: &str, arguments: &[OsString]) -> bool {
    arguments.iter().any(|argument| {
        let argument = argument.as_encoded_bytes();
        argument.strip_prefix(flag.as_bytes()).is_some_and(|rest| matches!(rest.first(), None | Some(b'=')))
    })
}

/// Returns a flag of `detente serve` with its variable, for error messages: `--max-calls (DETENTE_MAX_CALLS)`.
pub(crate) fn setting(flag: &str) -> String {
    format!("{flag} ({PREFIX}{})", flag.trim_start_matches('-').to_uppercase().replace('-', "_"))
}

/// Returns a warning for each variable of `set` that looks like one of the program's, but is none.
///
/// In a pod without `enableServiceLinks: false`, Kubernetes sets variables with the names of services. If a service is
/// called `detente`, they begin like the program's: `DETENTE_SERVICE_HOST`, `DETENTE_PORT` and others. They are not
/// settings, so nothing is said about them.
pub(crate) fn unknown(program: &Command, set: impl IntoIterator<Item = OsString>) -> Vec<String> {
    let commands = program.get_subcommands().flat_map(Command::get_arguments);
    let known: Vec<String> = commands.filter_map(|option| Some(option.get_env()?.to_str()?.to_owned())).collect();
    let mut set: Vec<String> = set.into_iter().map(|name| name.to_string_lossy().into_owned()).collect();
    set.retain(|name| name.starts_with(PREFIX));
    set.sort();
    let services: Vec<&str> = set.iter().filter_map(|name| name.strip_suffix(SERVICE_HOST)).collect();
    let is_service_link = |name: &String| {
        let mut rests = services.iter().filter_map(|service| name.strip_prefix(service));
        rests.any(|rest| rest == "_PORT" || rest.starts_with("_PORT_") || rest.starts_with("_SERVICE_"))
    };
    let unknown = set.iter().filter(|name| !known.contains(name) && !is_service_link(name));
    unknown
        .map(|name| {
            format!(
                "the environment variable {name} has no effect, because the program does not know it{}",
                did_you_mean(nearest_of(name, &known).as_deref())
            )
        })
        .collect()
}

/// Returns the known variable that is most similar. The prefix that all share must not make them similar.
fn nearest_of(name: &str, known: &[String]) -> Option<String> {
    let short = |name: &str| name.strip_prefix(PREFIX).unwrap_or_default().to_lowercase();
    let known: Vec<String> = known.iter().map(|name| short(name)).collect();
    let found = nearest(&short(name), known.iter().map(String::as_str))?;
    Some(PREFIX.to_owned() + &found.to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::CommandFactory;

    fn warnings(set: &[&str]) -> Vec<String> {
        let mut program = Cli::command();
        program.build();
        unknown(&program, set.iter().map(OsString::from))
    }

    #[test]
    fn unknown_variables_are_found_with_the_nearest_known_one() {
        for (name, hint) in [
            ("DETENTE_MAX_CALL", "; did you mean `DETENTE_MAX_CALLS`?"),
            ("DETENTE_LISTEN_ADDRESS", "; did you mean `DETENTE_LISTEN`?"),
            ("DETENTE_TOKENFILE", "; did you mean `DETENTE_TOKEN_FILE`?"),
            ("DETENTE_Listen", "; did you mean `DETENTE_LISTEN`?"),
            ("DETENTE_QXZ", ""),
            ("DETENTE_", ""),
        ] {
            let expected =
                format!("the environment variable {name} has no effect, because the program does not know it{hint}");
            assert_eq!(warnings(&[name]), [expected]);
        }
        assert_eq!(warnings(&["DETENTE_LISTEN", "DETENTE_TOKEN_FILE", "PATH", "detente_x", "DETENTE"]), [""; 0]);
    }

    #[test]
    fn the_variables_of_kubernetes_services_are_not_settings() {
        let links = [
            "DETENTE_SERVICE_HOST",
            "DETENTE_SERVICE_PORT",
            "DETENTE_SERVICE_PORT_GRPC",
            "DETENTE_PORT",
            "DETENTE_PORT_50051_TCP",
            "DETENTE_PORT_50051_TCP_ADDR",
            "DETENTE_HEADLESS_SERVICE_HOST",
            "DETENTE_HEADLESS_PORT_50051_TCP_PROTO",
        ];
        assert_eq!(warnings(&links), [""; 0]);
        // Without a service of this name, they are mistakes.
        assert_eq!(warnings(&["DETENTE_PORT"]).len(), 1);
        assert_eq!(warnings(&["DETENTE_SERVICE_HOST", "DETENTE_PORTS", "DETENTE_MAX_PORT"]).len(), 2);
    }
}
