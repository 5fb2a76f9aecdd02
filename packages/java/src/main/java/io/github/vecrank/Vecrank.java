package io.github.vecrank;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import org.sqlite.SQLiteConnection;
import org.sqlite.core.DB;

/** Loads vecrank into connections of sqlite-jdbc, and converts vectors. */
public final class Vecrank {
    private static final String LOAD = "SELECT load_extension(?, 'sqlite3_vecrank_init')";

    private Vecrank() {}

    /**
     * Loads vecrank into a connection; each connection needs it, in a pool too. Loading is allowed for this one library:
     * whether SQL may load others stays as the connection was opened.
     */
    public static void load(Connection connection) throws SQLException {
        String path = loadablePath().toString();
        try {
            load(connection, path);
        } catch (SQLException forbidden) {
            if (!String.valueOf(forbidden.getMessage()).contains("not authorized")) {
                throw forbidden;
            }
            DB database = connection.unwrap(SQLiteConnection.class).getDatabase();
            database.enable_load_extension(true);
            try {
                load(connection, path);
            } finally {
                database.enable_load_extension(false);
            }
        }
    }

    private static void load(Connection connection, String path) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(LOAD)) {
            statement.setString(1, path);
            statement.executeQuery().close();
        }
    }

    /** The path of the extension, which the first call of a process writes into a temporary folder of its own. */
    public static Path loadablePath() {
        return Library.PATH;
    }

    /** The BLOB to bind for a vector, with setBytes: little-endian 32-bit floats. */
    public static byte[] vector(float[] numbers) {
        if (numbers == null || numbers.length == 0) {
            throw new IllegalArgumentException(
                    "Vecrank.vector: expected at least one number, got " + (numbers == null ? "null" : "an empty array"));
        }
        ByteBuffer blob = ByteBuffer.allocate(numbers.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        blob.asFloatBuffer().put(numbers);
        return blob.array();
    }

    /** The numbers of a vector that was read from a table, with getBytes. */
    public static float[] fromVector(byte[] blob) {
        if (blob == null || blob.length == 0 || blob.length % Float.BYTES != 0) {
            throw new IllegalArgumentException(
                    "Vecrank.fromVector: expected 4 bytes for each number, got " + (blob == null ? "null" : blob.length + " bytes"));
        }
        float[] numbers = new float[blob.length / Float.BYTES];
        ByteBuffer.wrap(blob).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(numbers);
        return numbers;
    }
}
