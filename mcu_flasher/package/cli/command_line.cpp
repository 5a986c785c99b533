// Every command of mcuota-pack with its options, one function a command.

#include "mcu_flasher/package/cli/command_line.hpp"

#include <string>

namespace mcuota::pack {
namespace {

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

/// An option that may be given several times, one value each.
template <class T>
void add_repeated(CLI::App* command, const char* name, std::vector<T>& values, const char* description) {
    command->add_option(name, values, description)->allow_extra_args(false);
}

void add_signing(CLI::App* command, SigningOptions& o) {
    CLI::Option* const key = command->add_option("--key", o.key, "private key that signs (PEM file)");
    command
        ->add_option(
            "--pkcs11", o.pkcs11,
            "key in a token that signs, as a URI: 'pkcs11:token=release;object=pump-3'; the PIN comes "
            "from MCUOTA_PIN or the URI's pin-source")
        ->excludes(key);
}

void add_keygen(CLI::App& app, Chosen& chosen, KeygenOptions& o) {
    CLI::App* const c = add_command(app, chosen, "keygen", "Make a signing key pair",
                                    "mcuota-pack keygen --type ecdsa-p256 --out release.pem", o, keygen);
    c->add_option("--type", o.type, "kind of key")
        ->check(CLI::IsMember({"ecdsa-p256", "rsa-2048"}))
        ->capture_default_str();
    c->add_option("--out", o.out,
                  "private key to write (mode 0600); NAME.pub.pem is written beside NAME.pem");
    c->add_option("--from", o.from,
                  "use this existing key instead: a PEM file, or a token's key as a PKCS#11 URI");
    c->add_option("--public", o.public_file, "with --from: write the public key, as gateways take it");
    c->add_option("--header", o.header, "also write the C++ header that makes a loader trust the key");
    c->add_option("--next", o.next, "with --header: the loader's next key, for key rotation");
}

void add_create(CLI::App& app, Chosen& chosen, CreateOptions& o) {
    CLI::App* const c =
        add_command(app, chosen, "create", "Build and sign a package from an image",
                    "mcuota-pack create --image app.bin --version 2.0.0 --hardware pump-3 \\\n"
                    "      --key release.pem --base app-1.9.0.bin@1.9.0 --out pump-2.0.0.mcup",
                    o, create);
    c->add_option("--image", o.image, "binary image as the device runs it")->required();
    c->add_option("--version", o.version, "version of the image")->required();
    c->add_option("--hardware", o.hardware, "hardware id of the devices it is for")->required();
    add_signing(c, o.signing);
    c->add_option("--out", o.out, "package to write")->required();
    add_repeated(c, "--base", o.bases,
                 "image devices run now, OLD.bin or OLD.bin@VERSION; may be repeated, each gets a delta");
    add_repeated(c, "--format", o.formats,
                 "delta formats to try, the smallest wins: mcuota, hdiffsf20, hdiff13; may be repeated");
    c->add_flag("--no-full", o.no_full,
                "leave out the full image; devices with another base cannot be helped");
    c->add_option("--security-counter", o.security_counter,
                  "devices refuse counters lower than one they have run")
        ->capture_default_str();
    c->add_option("--allow-downgrade-from", o.downgrade_from,
                  "let devices go down to this package from counters up to this one")
        ->check(CLI::Range(std::uint32_t{1}, UINT32_MAX));
    add_repeated(
        c, "--requires", o.required,
        "'NAME>=VERSION': a device of the same gateway that must run VERSION first; may be repeated");
    add_repeated(c, "--rotation", o.rotations,
                 "key rotation record that devices may need first; may be repeated");
    c->add_flag("--allow-derived", o.allow_derived,
                "let gateways make their own encodings of the signed image");
    c->add_option("--load-address", o.load_address,
                  "address the image is linked for; found in the image when absent, else 0x08020000");
}

void add_prove(CLI::App& app, Chosen& chosen, ProveOptions& o) {
    CLI::App* const c = app.add_subcommand(
        "prove", "Prove on the virtual board that no power cut during this update bricks a device");
    c->footer("Example:\n  mcuota-pack prove pump-2.0.0.mcup --base app-1.9.0.bin");
    c->add_flag("--json", o.json, "print one JSON document and nothing else");
    c->callback([&chosen, &o] {
        chosen.json = &o.json;
        chosen.run = [&chosen, &o]() -> Result<void> {
            const Result<int> code = prove(o);
            if (!code) return code.error();
            chosen.exit_code = *code;
            return {};
        };
    });
    c->add_option("package", o.file, "package to prove")->required();
    c->add_option("--base", o.base, "binary image that runs before the update")->required();
    c->add_option("--cuts", o.cuts, "cuts in each kind of job, spread evenly, or \"all\"")
        ->check([](const std::string& text) {
            const bool digits = !text.empty() && text.size() < 10 && text != "0" &&
                                text.find_first_not_of("0123456789") == std::string::npos;
            return text == "all" || digits ? std::string() : "\"" + text + "\" is neither a number nor all";
        })
        ->capture_default_str();
    c->add_option("--depth", o.depth, "2: cut a second time during each recovery")
        ->check(CLI::Range(1U, 10U))
        ->capture_default_str();
    c->add_option("--seed", o.seed, "seed of everything random")->capture_default_str();
    c->add_option("--jobs", o.jobs, "runs at the same time; 0: one for each processor")
        ->check(CLI::Range(0U, 64U))
        ->capture_default_str();
    add_repeated(c, "--scenario", o.scenarios,
                 "only this kind of job (install, revert, hang, rollback, journal; confirm, staging, "
                 "wrong-image, revert-damaged, rollback-damaged, rotation, rotation-again, first, recovery, "
                 "ahead, ahead-begun, ahead-revert, ahead-rollback); repeatable");
    add_repeated(c, "--pubkey", o.pubkeys, "verify the package with this key first; repeatable");
    c->add_option("--hardware", o.hardware, "which entry, when the package has several");
    c->add_option("--payload", o.payload, "kind of payload; else the one a gateway would send");
    c->add_option("--part", o.part, "flash of the virtual board")
        ->check(CLI::IsMember({"1MB", "1MB-dual", "2MB"}));
    c->add_option("--nor-part", o.nor_part, "NOR of the virtual board")
        ->check(CLI::IsMember({"W25Q128", "W25Q256"}));
    c->add_option("--only", o.only, "repeat one cut by its id");
    c->add_option("--loader", o.loader, "another loader image, ELF or binary");
    c->add_option("--board", o.board, "the program mcuota-board");
    c->add_flag("--no-memory", o.no_memory, "execute every instruction, follow every cut to its end: slow");
    c->add_flag("--executes", o.executes, "both images contain the agent of this project: execute them");
}

void add_rotate(CLI::App& app, Chosen& chosen, RotateOptions& o) {
    CLI::App* const c = add_command(
        app, chosen, "rotate", "Make a key rotation record: next becomes current, a new next comes",
        "mcuota-pack rotate --key next.pem --next newnext.pub.pem --generation 1 --out 1.mcuk", o, rotate);
    add_signing(c, o.signing);
    c->add_option("--next", o.next, "public key that becomes the devices' next key")->required();
    c->add_option("--generation", o.generation, "key generation after it: one more than the devices have")
        ->required();
    c->add_option("--out", o.out, "record to write")->required();
}

void add_wrappers(CLI::App& app, Chosen& chosen, AllOptions& all) {
    CLI::App* c = add_command(app, chosen, "merge", "Make one upload for many hardware types",
                              "mcuota-pack merge pump.mcup fan.mcup --out all.mcup", all.merge, merge);
    c->add_option("packages", all.merge.files, "packages to merge")->required();
    c->add_option("--out", all.merge.out, "package to write")->required();

    c = add_command(app, chosen, "zip", "Wrap a package for a cloud that takes (signed) zips",
                    "mcuota-pack zip pump-2.0.0.mcup --out pump-2.0.0.zip", all.zip, zip);
    c->add_option("package", all.zip.file, "package to wrap")->required();
    c->add_option("--out", all.zip.out, "zip to write")->required();

    c = add_command(app, chosen, "extract", "Write the parts of a package as files",
                    "mcuota-pack extract pump-2.0.0.mcup --out parts", all.extract, extract);
    c->add_option("package", all.extract.file,
                  "package to read, or a zip with one, a LiteOS package, an AliOS Things image or pack")
        ->required();
    c->add_option("--out", all.extract.folder, "folder to write to; made when it does not exist")->required();
}

void add_readers(CLI::App& app, Chosen& chosen, AllOptions& all) {
    CLI::App* c = add_command(app, chosen, "inspect", "Show what a package holds and what sending it takes",
                              "mcuota-pack inspect pump-2.0.0.mcup", all.inspect, inspect);
    c->add_option("package", all.inspect.file,
                  "package to read, or a zip with one, a delta, a LiteOS or AliOS Things file")
        ->required();
    add_repeated(c, "--base", all.inspect.bases,
                 "OLD.bin or OLD.bin@VERSION: names the base of a delta; may be repeated");

    c = add_command(app, chosen, "verify",
                    "Prove who signed a package and that it decodes to the signed image",
                    "mcuota-pack verify pump-2.0.0.mcup --pubkey release.pub.pem", all.verify, verify);
    c->add_option("package", all.verify.file, "package to read, or a zip with one")->required();
    c->add_option("--pubkey", all.verify.pubkeys, "trusted public key; may be given several times")
        ->required()
        ->allow_extra_args(false);
    add_repeated(c, "--base", all.verify.bases, "decode the deltas from this image, too; may be repeated");

    c = add_command(app, chosen, "apply", "Write the image of a package, decoded by the loader's own decoder",
                    "mcuota-pack apply pump-2.0.0.mcup --out app.bin", all.apply, apply);
    c->add_option("package", all.apply.file, "package to read, or a zip with one")->required();
    c->add_option("--base", all.apply.base, "decode the delta from this image instead of the full image");
    c->add_option("--out", all.apply.out, "image to write")->required();
    c->add_option("--hardware", all.apply.hardware, "which entry, when the package has several");
}

void add_deltas(CLI::App& app, Chosen& chosen, AllOptions& all) {
    DiffOptions& d = all.diff;
    CLI::App* c = add_command(app, chosen, "diff", "Make a bare delta from one file to another",
                              "mcuota-pack diff app-1.9.0.bin app-2.0.0.bin app.delta", d, diff);
    c->add_option("old", d.old_file, "file to start from")->required();
    c->add_option("new", d.new_file, "file to arrive at")->required();
    c->add_option("out", d.out, "delta to write")->required();
    c->add_option("--format", d.format,
                  "mcuota (far smaller for firmware), hdiffsf20 or hdiff13 (HDiffPatch)")
        ->check(CLI::IsMember({"mcuota", "hdiffsf20", "hdiff13"}))
        ->capture_default_str();
    c->add_option("--load-address", d.load_address,
                  "where both images are linked to; found in the old one when absent");
    c->add_option("--memory", d.memory_bytes, "most bytes of memory its decoder may need");
    CLI::Option* const prefix = c->add_flag(
        "--prefix", d.prefix, "with hdiff13: put the original scheme's 32 bytes of information in front");
    c->add_option("--key", d.key, "with --prefix: RSA-2048 private key that signs the file")->needs(prefix);

    c = add_command(app, chosen, "patch", "Apply a bare delta of any format",
                    "mcuota-pack patch app-1.9.0.bin app.delta app-2.0.0.bin", all.patch, patch);
    c->add_option("old", all.patch.old_file, "file the delta starts from")->required();
    c->add_option("delta", all.patch.delta, "delta: mcuota, HDIFFSF20 or HDIFF13")->required();
    c->add_option("out", all.patch.out, "file to write")->required();
}

}  // namespace

void add_commands(CLI::App& app, Chosen& chosen, AllOptions& all) {
    add_keygen(app, chosen, all.keygen);
    add_create(app, chosen, all.create);
    add_wrappers(app, chosen, all);
    add_readers(app, chosen, all);
    add_deltas(app, chosen, all);
    add_rotate(app, chosen, all.rotate);
    add_prove(app, chosen, all.prove);
}

}  // namespace mcuota::pack
