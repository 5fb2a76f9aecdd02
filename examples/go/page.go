// The first page of a feed for someone who likes three articles: go run . feed.db
package main

import (
	"database/sql"
	"fmt"
	"log"
	"os"

	"github.com/vecrank/vecrank/packages/go/vecrank"
)

func main() {
	check(vecrank.Register())
	db, err := sql.Open(vecrank.DriverName, "file:"+os.Args[1]+"?mode=ro")
	check(err)
	defer db.Close()

	likes, err := db.Query("SELECT embedding FROM articles WHERE article_id IN (?, ?, ?)", "A00018", "A00982", "A01153")
	check(err)
	taste := make([]float32, 256)
	for likes.Next() {
		var blob []byte
		check(likes.Scan(&blob))
		numbers, err := vecrank.FromVector(blob)
		check(err)
		for i, number := range numbers {
			taste[i] += number / 3
		}
	}
	check(likes.Err())

	page, err := db.Query("SELECT article_id, main_name FROM articles WHERE embedding MATCH ? ORDER BY distance LIMIT 8 OFFSET 0",
		vecrank.Vector(taste))
	check(err)
	for page.Next() {
		var id, name string
		check(page.Scan(&id, &name))
		fmt.Println(id, name)
	}
	check(page.Err())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
