import io.github.vecrank.Vecrank;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.Statement;

/** The first page of a feed for someone who likes three articles: java Page feed.db */
public class Page {
    static final String LIKES = "SELECT embedding FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153')";
    static final String PAGE =
            "SELECT article_id, main_name FROM articles WHERE embedding MATCH ? ORDER BY distance LIMIT 8 OFFSET 0";

    public static void main(String[] arguments) throws Exception {
        try (Connection db = DriverManager.getConnection("jdbc:sqlite:" + arguments[0])) {
            Vecrank.load(db);
            float[] taste = new float[256];
            try (Statement statement = db.createStatement();
                    ResultSet likes = statement.executeQuery(LIKES)) {
                while (likes.next()) {
                    float[] numbers = Vecrank.fromVector(likes.getBytes(1));
                    for (int i = 0; i < taste.length; i++) {
                        taste[i] += numbers[i] / 3;
                    }
                }
            }
            try (PreparedStatement statement = db.prepareStatement(PAGE)) {
                statement.setBytes(1, Vecrank.vector(taste));
                ResultSet page = statement.executeQuery();
                while (page.next()) {
                    System.out.println(page.getString(1) + " " + page.getString(2));
                }
            }
        }
    }
}
