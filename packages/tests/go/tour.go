// The tour of tour.py: prints it as JSON.
package main

import (
	"database/sql"
	"encoding/json"
	"log"
	"os"

	"github.com/vecrank/vecrank/packages/go/vecrank"
)

const filter = "AND category IN ('Hiking boots', 'Backpacks') AND retail_price < 130 AND in_stock > 0"

type feed struct{ *sql.DB }

func main() {
	must(vecrank.Register())
	db := one(sql.Open(vecrank.DriverName, os.Args[1]))
	feed := feed{db}
	taste := vecrank.Vector(feed.taste())
	tour := map[string]any{
		"version":  column[string](feed, "SELECT vecrank_version()")[0],
		"page1":    feed.page("", 0, taste),
		"page2":    feed.page("", 8, taste),
		"filtered": feed.page(filter, 0, taste),
	}
	one(db.Exec("INSERT INTO articles(article_id, main_name, embedding) VALUES ('B00001', 'A new tent', ?)", taste))
	tour["inserted"] = feed.page("", 0, taste)[0]
	one(db.Exec("UPDATE articles SET in_stock = 7 WHERE article_id = 'B00001'"))
	tour["updated"] = column[int](feed, "SELECT in_stock FROM articles WHERE article_id = 'B00001'")[0]
	one(db.Exec("DELETE FROM articles WHERE article_id = 'B00001'"))
	tour["deleted"] = feed.page("", 0, taste)[0]
	_, err := query[string](feed, "SELECT article_id FROM articles WHERE embedding MATCH ? ORDER BY distance", vecrank.Vector([]float32{1, 2, 3}))
	tour["error"] = err.Error()
	must(db.Close())
	must(json.NewEncoder(os.Stdout).Encode(tour))
}

func (f feed) taste() []float32 {
	likes := column[[]byte](f, "SELECT embedding FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153')")
	var taste []float32
	for _, blob := range likes {
		numbers := one(vecrank.FromVector(blob))
		if taste == nil {
			taste = make([]float32, len(numbers))
		}
		for i, number := range numbers {
			taste[i] += number / float32(len(likes))
		}
	}
	return taste
}

func (f feed) page(filter string, start int, taste []byte) []string {
	sql := "SELECT article_id FROM articles WHERE embedding MATCH ? " + filter + " ORDER BY distance LIMIT 8 OFFSET ?"
	return column[string](f, sql, taste, start)
}

func query[T any](f feed, sql string, values ...any) ([]T, error) {
	rows, err := f.Query(sql, values...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		var value T
		if err := rows.Scan(&value); err != nil {
			return nil, err
		}
		all = append(all, value)
	}
	return all, rows.Err()
}

func column[T any](f feed, sql string, values ...any) []T {
	return one(query[T](f, sql, values...))
}

func one[T any](value T, err error) T {
	must(err)
	return value
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
