// Publishes the lines of stdin, `key value`. DATABUS is host:port, DATABUS_APP is key:secret@group/topic=TOPIC.
package main

import (
	"bufio"
	"context"
	"log"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

var bus = redis.NewClient(&redis.Options{
	Addr:        os.Getenv("DATABUS"),
	Password:    os.Getenv("DATABUS_APP") + "&role=pub",
	ReadTimeout: 40 * time.Second, // longer than databus tries to write a record, 30 s
	MaxRetries:  -1,               // else go-redis sends a SET again by itself, without a word
})

// publish returns when Kafka has the record. After a doubt there may be two: carry an id in the value if that matters to who reads.
func publish(key, value string) error {
	for {
		err := bus.Set(context.Background(), key, value, 0).Err()
		if err == nil {
			return nil
		}
		_, replied := err.(redis.Error)
		if replied && !strings.HasPrefix(err.Error(), "ERR not written") && !strings.HasPrefix(err.Error(), "ERR may have been written") {
			return err // a wrong secret, too large: trying again would not help
		}
		log.Print("again: ", err) // the connection broke, or the reply says so: it may have been written
		time.Sleep(200 * time.Millisecond)
	}
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20) // else a line of 64 KiB ends it
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), " ")
		if err := publish(key, value); err != nil {
			log.Fatal(err)
		}
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
}
