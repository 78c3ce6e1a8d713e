#!/usr/bin/env bash
# C from the Debian packages in /debs: README's first program, by pkg-config and by CMake.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/steps.sh"
source=$PWD
mkdir -p /tmp/project
cd /tmp/project || exit 1
"$source/tests/install/readme-program" "$source/README.md" >program.c

step "apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev pkg-config cmake \
make /debs/libbine*.deb /debs/bine_*.deb"
# shellcheck disable=SC2016 # the step's shell expands it
step 'cc program.c $(pkg-config --cflags --libs bine) -o program'
step "./program"
takes_turns
finished "C from packages, by pkg-config"

printf '%s\n' 'cmake_minimum_required(VERSION 3.16)' 'project(program C)' \
    'find_package(bine REQUIRED)' 'add_executable(program program.c)' \
    'target_link_libraries(program bine::bine)' >CMakeLists.txt
step "cmake -S . -B build && cmake --build build"
step "build/program"
takes_turns
step "bine doctor /usr/bin/apt-get"
finished "C from packages, by CMake besides"
