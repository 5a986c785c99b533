# cmake -DOUT=file -DFILES=a;b -P embed.cmake: SQL scripts as a C++ table, in the order of their numbers.
set(rows "")
foreach(file IN LISTS FILES)
    get_filename_component(name ${file} NAME_WE)
    string(REGEX MATCH "^[0-9]+" number ${name})
    math(EXPR number "${number}")
    file(READ ${file} sql)
    string(APPEND rows "    {${number}, \"${name}\", R\"sql(${sql})sql\"},\n")
endforeach()
file(WRITE ${OUT} "// Generated from db/migrations by db/embed.cmake.
#include \"db/migrate.hpp\"

namespace mcuota::db {
namespace {
constexpr Migration kMigrations[] = {
${rows}};
}  // namespace
std::span<const Migration> migrations() noexcept { return kMigrations; }
}  // namespace mcuota::db
")
