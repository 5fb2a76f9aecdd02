import io.github.vecrank.Vecrank;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.Arrays;
import java.util.List;

/** Prints what the package gives and refuses, line by line. */
public class Vectors {
    public static void main(String[] arguments) throws SQLException {
        System.out.println(Arrays.toString(Vecrank.vector(new float[] {1, -2})));
        System.out.println(Arrays.toString(Vecrank.fromVector(new byte[] {0, 0, 0, 63, 0, 0, 64, 64})));
        List<Runnable> refused =
                List.of(
                        () -> Vecrank.vector(null),
                        () -> Vecrank.vector(new float[0]),
                        () -> Vecrank.fromVector(null),
                        () -> Vecrank.fromVector(new byte[7]),
                        () -> Vecrank.fromVector(new byte[0]));
        for (Runnable call : refused) {
            try {
                call.run();
            } catch (IllegalArgumentException error) {
                System.out.println(error.getMessage());
            }
        }
        try (Connection db = DriverManager.getConnection("jdbc:sqlite::memory:")) {
            Vecrank.load(db);
            Vecrank.load(db);
            db.createStatement().executeQuery("SELECT load_extension('another')");
        } catch (SQLException error) {
            System.out.println(error.getMessage());
        }
    }
}
