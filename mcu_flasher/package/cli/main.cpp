// mcuota-pack: keys, packages and their inspection, for release engineers. This file is the command line
// only.

#include <CLI/CLI.hpp>
#include <exception>
#include <functional>
#include <iostream>
#include <string>

#include "mcu_flasher/package/cli/commands.hpp"
#include "mcu_flasher/package/cli/output.hpp"

namespace {

using mcuota::Result;
namespace pack = mcuota::pack;

constexpr int kExitUsage = 2;
constexpr int kExitFailed = 1;

/// A command that has been parsed: what to run, and whether its error is wanted as JSON, too.
struct Chosen {
    std::function<Result<void>()> run;
    const bool* json{nullptr};
};

template <class Options>
CLI::App* add_command(CLI::App& app, Chosen& chosen, const char* name, const char* description,
                      const char* example, Options& options, Result<void> (*run)(const Options&)) {
    CLI::App* const command = app.add_subcommand(name, description);
    command->footer(std::string("Example:\n  ") + example);
    command->add_flag("--json", options.json, "print one JSON document and nothing else");
    command->callback([&chosen, &options, run] {
        chosen = {[&options, run] { return run(options); }, &options.json};
    });
    return command;
}

struct AllOptions {
    pack::KeygenOptions keygen;
    pack::CreateOptions create;
    pack::InspectOptions inspect;
    pack::VerifyOptions verify;
    pack::ApplyOptions apply;
};

void add_keygen(CLI::App& app, Chosen& chosen, pack::KeygenOptions& o) {
    CLI::App* const c =
        add_command(app, chosen, "keygen", "Make a signing key pair",
                    "mcuota-pack keygen --type ecdsa-p256 --out release.pem", o, pack::keygen);
    c->add_option("--type", o.type, "kind of key")
        ->check(CLI::IsMember({"ecdsa-p256", "rsa-2048"}))
        ->capture_default_str();
    c->add_option("--out", o.out,
                  "private key to write (mode 0600); NAME.pub.pem is written beside NAME.pem");
    c->add_option("--from", o.from, "use this existing key instead of making one");
    c->add_option("--header", o.header, "also write the C++ header that makes a loader trust the key");
}

void add_create(CLI::App& app, Chosen& chosen, pack::CreateOptions& o) {
    CLI::App* const c =
        add_command(app, chosen, "create", "Build and sign a package from an image",
                    "mcuota-pack create --image app.bin --version 2.0.0 --hardware pump-3 \\\n"
                    "      --key release.pem --out pump-2.0.0.mcup",
                    o, pack::create);
    c->add_option("--image", o.image, "binary image as the device runs it")->required();
    c->add_option("--version", o.version, "version of the image")->required();
    c->add_option("--hardware", o.hardware, "hardware id of the devices it is for")->required();
    c->add_option("--key", o.key, "private key that signs")->required();
    c->add_option("--out", o.out, "package to write")->required();
    c->add_option("--security-counter", o.security_counter,
                  "devices refuse counters lower than one they have run")
        ->capture_default_str();
    c->add_flag("--allow-derived", o.allow_derived,
                "let gateways make their own encodings of the signed image");
    c->add_option("--load-address", o.load_address, "address the image is linked for")
        ->default_str("0x08020000");
}

void add_readers(CLI::App& app, Chosen& chosen, AllOptions& all) {
    CLI::App* c = add_command(app, chosen, "inspect", "Show what a package holds",
                              "mcuota-pack inspect pump-2.0.0.mcup", all.inspect, pack::inspect);
    c->add_option("package", all.inspect.file, "package to read")->required();

    c = add_command(app, chosen, "verify",
                    "Prove who signed a package and that it decodes to the signed image",
                    "mcuota-pack verify pump-2.0.0.mcup --pubkey release.pub.pem", all.verify, pack::verify);
    c->add_option("package", all.verify.file, "package to read")->required();
    c->add_option("--pubkey", all.verify.pubkeys, "trusted public key; may be given several times")
        ->required()
        ->allow_extra_args(false);

    c = add_command(app, chosen, "apply", "Write the image of a package, decoded by the loader's own decoder",
                    "mcuota-pack apply pump-2.0.0.mcup --out app.bin", all.apply, pack::apply);
    c->add_option("package", all.apply.file, "package to read")->required();
    c->add_option("--out", all.apply.out, "image to write")->required();
    c->add_option("--hardware", all.apply.hardware, "which entry, when the package has several");
}

/// A sentence about a first word that names no command; empty when all is well.
std::string unknown_command(const CLI::App& app, int argc, char** argv) {
    if (argc < 2 || argv[1][0] == '-') return {};
    std::string names;
    for (const CLI::App* const command : app.get_subcommands({})) {
        if (command->get_name() == argv[1]) return {};
        names += (names.empty() ? "" : ", ") + command->get_name();
    }
    return "no command \"" + std::string(argv[1]) + "\"; there are " + names;
}

int run(int argc, char** argv) {
    CLI::App app("Keys, packages and their inspection for mcuota.", "mcuota-pack");
    app.set_version_flag("--version", "mcuota-pack " MCUOTA_VERSION);
    app.footer("Example:\n  mcuota-pack create --help");
    app.require_subcommand(1);
    AllOptions all;
    Chosen chosen;
    add_keygen(app, chosen, all.keygen);
    add_create(app, chosen, all.create);
    add_readers(app, chosen, all);
    if (const std::string problem = unknown_command(app, argc, argv); !problem.empty()) {
        pack::remark(problem);
        return kExitUsage;
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error, std::cout, std::cerr) == 0 ? 0 : kExitUsage;
    }
    int code = 0;
    if (const Result<void> result = chosen.run(); !result) {
        pack::report(result.error(), *chosen.json);
        code = mcuota::exit_code(result.error().code);
    }
    std::cout.flush();
    if (!std::cout) {
        pack::remark("standard output cannot be written");
        return code == 0 ? kExitFailed : code;
    }
    return code;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {  // out of memory, or a fault of a library
        pack::remark(std::string("stopped: ") + error.what());
        return kExitFailed;
    }
}
