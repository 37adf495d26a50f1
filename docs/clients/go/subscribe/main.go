// Appends each message to the file of the first argument, once: `partition offset key value`. Ends well on SIGTERM. Environment as for publish.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

type message struct {
	Key       string
	Value     json.RawMessage
	Partition int
	Offset    int64
}

func main() {
	output, err := os.OpenFile(os.Args[1], os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		log.Fatal(err)
	}
	done := map[int]int64{} // known from the results themselves: they tell what comes a second time, after a crash before the mark, say
	results, err := io.ReadAll(output)
	if err != nil {
		log.Fatal(err)
	}
	for _, line := range strings.Split(string(results), "\n") {
		var m message
		if _, err := fmt.Sscan(line, &m.Partition, &m.Offset); err == nil {
			done[m.Partition] = m.Offset
		}
	}
	stop, _ := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	bus := redis.NewClient(&redis.Options{Addr: os.Getenv("DATABUS"), Password: os.Getenv("DATABUS_APP") + "&role=sub&offset=oldest", ReadTimeout: 10 * time.Second})
	defer bus.Close()
	for stop.Err() == nil { // the rest goes on without `stop`: what was read is done, and marked
		replies, err := bus.MGet(context.Background(), "WAIT", "1000").Result()
		if redis.IsAuthError(err) || redis.IsPermissionError(err) {
			log.Fatal(err)
		} else if err != nil { // databus or Kafka is away for a while
			log.Print("again: ", err)
			time.Sleep(500 * time.Millisecond)
		}
		read := map[int]int64{}
		for _, reply := range replies {
			var m message
			if err := json.Unmarshal([]byte(reply.(string)), &m); err != nil {
				log.Fatal(err)
			}
			if last, some := done[m.Partition]; !some || m.Offset > last {
				fmt.Fprintf(output, "%d %d %q %s\n", m.Partition, m.Offset, m.Key, m.Value) // in one line, whatever is in them
				done[m.Partition] = m.Offset
			}
			read[m.Partition] = m.Offset
		}
		for partition, offset := range read { // a mark that fails is no harm: what is not marked comes again
			bus.Set(context.Background(), fmt.Sprint(partition), offset, 0)
		}
	}
}
