# portolan_bpf_object(<output> <source.bpf.c>): compiles one BPF program by clang-19; depend on <output> to have it made.
find_program(PORTOLAN_BPF_CLANG NAMES clang-19 DOC "compiles BPF programs")

function(portolan_bpf_object output source)
  get_filename_component(directory ${output} DIRECTORY)
  file(MAKE_DIRECTORY ${directory})
  add_custom_command(OUTPUT ${output}
    COMMAND ${PORTOLAN_BPF_CLANG} -O2 -g -Wall -Werror -target bpf -mcpu=v4
            -ffile-prefix-map=${CMAKE_SOURCE_DIR}=. -fdebug-compilation-dir=. -I/usr/include/${CMAKE_LIBRARY_ARCHITECTURE}
            -MD -MF ${output}.d -c ${source} -o ${output}
    DEPENDS ${source} DEPFILE ${output}.d VERBATIM)
endfunction()
