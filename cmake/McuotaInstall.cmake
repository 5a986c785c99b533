# Where programs and files go on a gateway; debian/ splits the result into packages.
include(GNUInstallDirs)
