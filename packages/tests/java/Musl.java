package io.github.vecrank;

import java.nio.file.Path;

/** What the package thinks of the memory maps of processes, which are given as files. */
public final class Musl {
    private Musl() {}

    public static void main(String[] maps) {
        for (String map : maps) {
            System.out.println(Library.usesMusl(Path.of(map)));
        }
    }
}
