import io.github.vecrank.Vecrank;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.StringJoiner;

/** The tour of tour.py: prints it as JSON. Its texts need no escapes but those of an error. */
public class Tour {
    static final String FILTER = "AND category IN ('Hiking boots', 'Backpacks') AND retail_price < 130 AND in_stock > 0";

    private final Connection db;

    Tour(Connection db) {
        this.db = db;
    }

    public static void main(String[] arguments) throws Exception {
        try (Connection db = DriverManager.getConnection("jdbc:sqlite:" + arguments[0])) {
            Vecrank.load(db);
            System.out.println(new Tour(db).json());
        }
    }

    String json() throws SQLException {
        byte[] taste = Vecrank.vector(taste());
        StringJoiner json = new StringJoiner(", ", "{", "}");
        json.add("\"version\": " + texts("SELECT vecrank_version()").get(0));
        json.add("\"page1\": " + page("", 0, taste));
        json.add("\"page2\": " + page("", 8, taste));
        json.add("\"filtered\": " + page(FILTER, 0, taste));
        write("INSERT INTO articles(article_id, main_name, embedding) VALUES ('B00001', 'A new tent', ?)", taste);
        json.add("\"inserted\": " + page("", 0, taste).get(0));
        write("UPDATE articles SET in_stock = 7 WHERE article_id = 'B00001'");
        json.add("\"updated\": " + select("SELECT in_stock FROM articles WHERE article_id = 'B00001'").get(0));
        write("DELETE FROM articles WHERE article_id = 'B00001'");
        json.add("\"deleted\": " + page("", 0, taste).get(0));
        try {
            page("", 0, Vecrank.vector(new float[] {1, 2, 3}));
        } catch (SQLException error) {
            json.add("\"error\": " + quoted(error.getMessage()));
        }
        return json.toString();
    }

    float[] taste() throws SQLException {
        List<Object> likes = select("SELECT embedding FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153')");
        float[] taste = new float[256];
        for (Object like : likes) {
            float[] numbers = Vecrank.fromVector((byte[]) like);
            for (int i = 0; i < taste.length; i++) {
                taste[i] += numbers[i] / likes.size();
            }
        }
        return taste;
    }

    List<String> page(String filter, int start, byte[] taste) throws SQLException {
        return texts("SELECT article_id FROM articles WHERE embedding MATCH ? " + filter + " ORDER BY distance LIMIT 8 OFFSET " + start, taste);
    }

    List<String> texts(String sql, byte[]... values) throws SQLException {
        List<String> texts = new ArrayList<>();
        for (Object value : select(sql, values)) {
            texts.add(quoted((String) value));
        }
        return texts;
    }

    List<Object> select(String sql, byte[]... values) throws SQLException {
        List<Object> column = new ArrayList<>();
        try (PreparedStatement statement = bound(sql, values);
                ResultSet rows = statement.executeQuery()) {
            while (rows.next()) {
                column.add(rows.getObject(1));
            }
        }
        return column;
    }

    void write(String sql, byte[]... values) throws SQLException {
        try (PreparedStatement statement = bound(sql, values)) {
            statement.executeUpdate();
        }
    }

    PreparedStatement bound(String sql, byte[]... values) throws SQLException {
        PreparedStatement statement = db.prepareStatement(sql);
        for (int i = 0; i < values.length; i++) {
            statement.setBytes(i + 1, values[i]);
        }
        return statement;
    }

    static String quoted(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n") + '"';
    }
}
