// Package cases has the cases of the matrix for Go libraries; ../../matrix tells what a program prints and is told.
package cases

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"time"
)

// Library is what differs from one library to the other.
type Library struct {
	// Open gives a client for one of Forms; once asks for settings that never send a command twice. A NotOffered tells why there is none.
	Open func(form string, who Identity, address string, once bool) (Client, error)
	Once string // what once sets, in words
	// Kind names the functions of the library that tell an error's kind, if they say so of this one: "" otherwise. May be nil.
	Kind func(err error) string
}

// Client has replies as the library gives them: written commands are "OK", or an error.
type Client interface {
	Set(key string, value any) (any, error)
	Pipeline(key string, values []any, transaction bool) ([]any, error)
	Del(key string) (any, error)
	HSet(key string, metadata []byte, value string) (any, error)
	MGet(words ...string) ([]any, error)
	Close() error
}

// NotOffered says that the library has no such thing, and why.
type NotOffered string

func (why NotOffered) Error() string { return string(why) }

var (
	address = os.Getenv("DATABUS")
	name    = os.Getenv("LIBRARY") + "-" + os.Getenv("VERSION")
	stdin   = bufio.NewReader(os.Stdin)
)

// Header { metadata: {"trace": "7"} }
var metadata = []byte("\x0a\x0a\x0a\x05trace\x12\x017")

// Run runs all cases and prints how they went.
func Run(library Library) {
	log.SetFlags(0)
	r := runner{library}
	r.begin()
	for _, form := range Forms {
		run(form, func() string { r.authenticates(form); return "" })
	}
	wrong, pubOnly := identity("sub"), identity("sub")
	wrong.Secret, pubOnly.Group = "wrong", os.Getenv("PUB_GROUP")
	run("wrong-secret", func() string { return r.refused(wrong, "WRONGPASS ") })
	run("refused-grant", func() string { return r.refused(pubOnly, "NOPERM ") })
	run("publish", func() string { return r.published("publish", []any{`"one"`}, r.set, "one") })
	numbers, floats := make([]any, 500), make([]any, 500)
	for i := range numbers {
		numbers[i], floats[i] = i, float64(i)
	}
	run("publish-pipeline", func() string { return r.published("pipeline", numbers, r.pipeline(false), floats...) })
	run("publish-transaction", func() string { return r.published("transaction", []any{1, 2}, r.pipeline(true), 1.0, 2.0) })
	large := strings.Repeat("x", 999_898)
	run("publish-megabyte", func() string { return r.published("megabyte", []any{`"` + large + `"`}, r.set, large) })
	run("publish-binary", r.binary)
	run("publish-metadata", r.metadata)
	run("publish-tombstone", func() string { return r.published("tombstone", nil, r.del, nil) })
	run("consume", r.consume)
	run("at-once", r.atOnce)
	run("restart-daemon", func() string { return r.restart("restart-daemon") })
	run("restart-broker", func() string { return r.restart("restart-broker") })
	run("repeats", func() string { return times(r.sends(false)) })
	run("repeats-off", func() string { equal(r.sends(true), 1); return library.Once })
}

func run(name string, test func() string) {
	defer func() {
		if failed := recover(); failed != nil {
			var not NotOffered
			if err, is := failed.(error); is && errors.As(err, &not) {
				fmt.Printf("n/a %s: %s\n", name, not)
			} else {
				fmt.Printf("FAILED %s: %.300s\n", name, strings.ReplaceAll(fmt.Sprint(failed), "\n", " "))
			}
		}
	}()
	note := test()
	if note != "" {
		note = ": " + note
	}
	fmt.Printf("ok %s%s\n", name, note)
}

type runner struct{ library Library }

func identity(role string) Identity {
	return Identity{os.Getenv("KEY"), os.Getenv("SECRET"), os.Getenv("GROUP"), os.Getenv("TOPIC"), role}
}

func (r runner) open(form string, who Identity, address string, once bool) Client {
	client, err := r.library.Open(form, who, address, once)
	check(err)
	return client
}

func (r runner) publisher() Client  { return r.open("auth-password", identity("pub"), address, true) }
func (r runner) subscriber() Client { return r.open("auth-password", identity("sub"), address, true) }

// begin: the group begins to read; Kafka may take its time over that.
func (r runner) begin() {
	client := r.subscriber()
	for limit := time.Now().Add(time.Minute); ; {
		if _, err := client.MGet("WAIT", "1000"); err == nil {
			check(client.Close())
			return
		} else if time.Now().After(limit) {
			panic(err)
		}
	}
}

func (r runner) authenticates(form string) {
	client := r.open(form, identity("pub"), address, false)
	written(client.Set("auth", "1"))
	check(client.Close())
	client = r.open(form, identity("sub"), address, false)
	_, err := messages(client, 1000)
	check(err)
	check(client.Close())
}

func (r runner) refused(who Identity, prefix string) string {
	client, err := r.library.Open("auth-password", who, address, true)
	if err == nil {
		_, err = client.MGet("WAIT", "0")
		defer client.Close()
	}
	if err == nil || !strings.HasPrefix(err.Error(), prefix) {
		panic(fmt.Sprint("got ", err))
	}
	if r.library.Kind != nil {
		return r.library.Kind(err)
	}
	return fmt.Sprintf("an error that begins with `%s`; there are no classes", strings.TrimSpace(prefix))
}

// published: what send publishes under a key comes as wanted.
func (r runner) published(test string, values []any, send func(Client, string, []any), wanted ...any) string {
	key := name + "-" + test
	client := r.publisher()
	send(client, key, values)
	check(client.Close())
	client = r.subscriber()
	for i, m := range take(client, key, len(wanted), true) {
		equal(m.Value, wanted[i])
	}
	check(client.Close())
	return ""
}

func (r runner) set(client Client, key string, values []any) { written(client.Set(key, values[0])) }
func (r runner) pipeline(transaction bool) func(Client, string, []any) {
	return func(client Client, key string, values []any) {
		replies, err := client.Pipeline(key, values, transaction)
		check(err)
		equal(len(replies), len(values))
		for _, reply := range replies {
			equal(fmt.Sprint(reply), "OK")
		}
	}
}

func (r runner) del(client Client, key string, _ []any) {
	count, err := client.Del(key)
	check(err)
	equal(fmt.Sprint(count), "1")
}

func (r runner) binary() string {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	return r.published("binary", []any{every}, r.set, map[string]any{"base64": base64.StdEncoding.EncodeToString(every)})
}

func (r runner) metadata() string {
	key := name + "-metadata"
	client := r.publisher()
	written(client.HSet(key, metadata, "1"))
	check(client.Close())
	client = r.subscriber()
	equal(take(client, key, 1, true)[0].Metadata, map[string]string{"trace": "7"})
	check(client.Close())
	return ""
}

func (r runner) consume() string {
	key := name + "-consume"
	client := r.publisher()
	r.pipeline(false)(client, key, []any{0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	check(client.Close())
	client = r.subscriber()
	check(mark(client, take(client, key, 10, false)[3]))
	check(client.Close())
	client = r.subscriber()
	for i, m := range take(client, key, 6, true) {
		equal(m.Value, float64(4+i))
	}
	rest, err := client.MGet("WAIT", "100")
	check(err)
	equal(len(rest), 0)
	check(client.Close())
	return ""
}

// restart: the clients stay; a command that fails is just tried again later.
func (r runner) restart(what string) string {
	key := name + "-" + what
	out, in := r.publisher(), r.subscriber()
	written(out.Set(key, 0))
	take(in, key, 1, true)
	missing := map[float64]bool{}
	ask(what)
	limit := time.Now().Add(4 * time.Minute)
	for number, row, over := 1, 0, false; row < 20; number++ {
		if reply, err := out.Set(key, number); err == nil && fmt.Sprint(reply) == "OK" {
			missing[float64(number)] = true
			row++
		} else {
			log.Printf("SET: %v %v", reply, err)
			row = 0
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(10 * time.Millisecond)
		if !over {
			over, row = ask("over") == "yes", 0
		}
		if time.Now().After(limit) {
			panic("does not come back")
		}
	}
	all := len(missing)
	for limit = limit.Add(2 * time.Minute); len(missing) > 0; {
		if time.Now().After(limit) {
			panic(fmt.Sprintf("%d of %d lost", len(missing), all))
		}
		found, err := messages(in, 1000)
		for _, m := range found {
			if err = mark(in, m); err != nil {
				break
			}
			if number, is := m.Value.(float64); is {
				delete(missing, number)
			}
		}
		if err != nil {
			log.Printf("MGET: %v", err)
			time.Sleep(200 * time.Millisecond)
		}
	}
	check(out.Close())
	check(in.Close())
	return ""
}

func (r runner) sends(once bool) int {
	ask("breaks")
	client, err := r.library.Open("auth-password", identity("pub"), os.Getenv("BREAKS"), once)
	check(err)
	_, err = client.Set("x", "1")
	log.Printf("SET: %v", err)
	client.Close()
	count, err := strconv.Atoi(ask("breaks"))
	check(err)
	return count
}
