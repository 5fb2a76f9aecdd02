package io.github.vecrank;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** The library of this platform, copied out of the jar. */
final class Library {
    /** Written at the first use. Its folder is new, and no other user may write to it. */
    static final Path PATH = write(platform());

    private Library() {}

    /** The folder of the jar that holds the library, such as linux-x86_64. */
    private static String platform() {
        String system = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        String machine = System.getProperty("os.arch");
        String name = system.startsWith("mac") ? "darwin" : system.startsWith("windows") ? "windows" : system;
        String libc = name.equals("linux") && usesMusl(Path.of("/proc/self/maps")) ? "-musl" : "";
        return name + "-" + (machine.equals("amd64") ? "x86_64" : machine) + libc;
    }

    /** Whether musl's loader is among the files that a process has in memory. */
    static boolean usesMusl(Path maps) {
        try {
            return Files.readString(maps).contains("/ld-musl-");
        } catch (IOException error) {
            return false;
        }
    }

    private static Path write(String platform) {
        String name = platform.startsWith("darwin") ? "libvecrank.dylib" : platform.startsWith("windows") ? "vecrank.dll" : "libvecrank.so";
        try (InputStream library = Library.class.getResourceAsStream(platform + "/" + name)) {
            if (library == null) {
                throw new UnsupportedOperationException("vecrank has no library for " + platform + ": build the package on that platform");
            }
            Path folder = Files.createTempDirectory("vecrank-");
            // Files are deleted in the reverse order.
            folder.toFile().deleteOnExit();
            Path path = folder.resolve(name);
            path.toFile().deleteOnExit();
            Files.copy(library, path);
            return path;
        } catch (IOException error) {
            throw new UncheckedIOException("vecrank: writing the library: " + error.getMessage(), error);
        }
    }
}
