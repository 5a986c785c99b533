// Writes the seeds of all targets: write_seeds FOLDER makes FOLDER/TARGET/seed-N.

#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "tests/fuzz/targets.hpp"

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: write_seeds FOLDER\n";
        return 2;
    }
    for (const mcuota::fuzz::Target& target : mcuota::fuzz::targets()) {
        const std::filesystem::path folder = std::filesystem::path(argv[1]) / target.name;
        std::filesystem::create_directories(folder);
        unsigned number = 0;
        for (const mcuota::fuzz::Bytes& seed : target.seeds()) {
            std::ofstream file(folder / ("seed-" + std::to_string(++number)), std::ios::binary);
            file.write(reinterpret_cast<const char*>(seed.data()), static_cast<std::streamsize>(seed.size()));
            if (!file.flush()) {
                std::cerr << "cannot write to " << folder << '\n';
                return 1;
            }
        }
    }
    return 0;
}
