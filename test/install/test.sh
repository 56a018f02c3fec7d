#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# test.sh BUILD: installs what BUILD has built into a directory of its own, and builds a client there by CMake's package, by
# pkg-config, and against the archive.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d /tmp/portolan-install-XXXXXX)
trap 'rm -rf "$work"' EXIT
cmake --install "$1" --prefix "$work/usr" > /dev/null

says_49() { [[ $("$1") == 49 ]] || { echo "$1: not what it should say" >&2; exit 1; }; }

cmake -S "$here" -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$work/usr" > /dev/null
cmake --build "$work/build" > /dev/null
says_49 "$work/build/client"

packages=$(dirname "$(find "$work/usr" -name portolan.pc)")
flags=$(PKG_CONFIG_PATH=$packages pkg-config --cflags --libs portolan)
read -ra flags <<< "$flags"
g++ -std=c++23 "$here/client.cc" "${flags[@]}" -o "$work/by-pkg-config"
LD_LIBRARY_PATH=$(dirname "$packages") says_49 "$work/by-pkg-config"

flags=$(PKG_CONFIG_PATH=$packages pkg-config --static --cflags --libs portolan)
read -ra flags <<< "${flags/-lportolan/-l:libportolan.a}"
g++ -std=c++23 "$here/client.cc" "${flags[@]}" -o "$work/static"
says_49 "$work/static"

"$work/usr/bin/portolan" run -- true
[[ -s $work/usr/share/man/man1/portolan.1 ]]
