// mcuota, the admin's command: everything is in run().
#include "daemon/cli/run.hpp"

int main(int argc, char** argv) {
    return mcuota::cli::run(std::vector<std::string>(argv + 1, argv + argc));
}
