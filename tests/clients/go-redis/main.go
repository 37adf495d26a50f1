// go-redis' session: publish, consume, mark, come back and go on from the mark. Arguments: the daemon's host:port, and for TLS the CA's certificate.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const auth = "app_key1:app_secret1@group_name1/topic=test156&role="

var (
	ctx = context.Background()
	key = fmt.Sprintf("go-redis-%d", os.Getpid())
)

type message struct {
	Key       string
	Value     any
	Topic     string
	Partition int32
	Offset    int64
	Metadata  map[string]string
}

// connect gives a client of one connection; the AUTH string is the password.
func connect(role string, protocol int) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr: os.Args[1], Password: auth + role, Protocol: protocol, PoolSize: 1, ReadTimeout: 20 * time.Second,
		MaxRetries: -1, // a publish must not be sent twice
		TLSConfig:  tlsConfig(),
	})
}

func tlsConfig() *tls.Config {
	if len(os.Args) < 3 {
		return nil
	}
	pem, err := os.ReadFile(os.Args[2])
	check(err)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		log.Fatalf("no certificate in %s", os.Args[2])
	}
	return &tls.Config{RootCAs: roots}
}

func subscriber(protocol int) *redis.Client { return connect("sub&offset=oldest", protocol) }

func mget(client *redis.Client, arguments ...any) []message {
	replies, err := client.Do(ctx, append([]any{"MGET"}, arguments...)...).Slice()
	check(err)
	found := make([]message, len(replies))
	for i, reply := range replies {
		check(json.Unmarshal([]byte(reply.(string)), &found[i]))
	}
	return found
}

// next gives the next messages, so many.
func next(client *redis.Client, count int) []message {
	var found []message
	for i := 0; i < 40 && len(found) < count; i++ {
		found = append(found, mget(client, "COUNT", count-len(found))...)
	}
	equal(len(found), count)
	return found
}

func mark(client *redis.Client, m message) {
	reply, err := client.Set(ctx, fmt.Sprint(m.Partition), m.Offset, 0).Result()
	check(err)
	equal(reply, "OK")
}

func drain(client *redis.Client) {
	for empty := 0; empty < 2; empty++ {
		for _, m := range mget(client, "COUNT", 10000) {
			mark(client, m)
			empty = 0
		}
	}
}

func main() {
	log.SetFlags(0)
	for _, protocol := range []int{2, 3} {
		session(protocol)
	}
}

func session(protocol int) {
	client := subscriber(protocol)
	drain(client)
	check(client.Close())

	client = connect("pub", protocol)
	check(client.Ping(ctx).Err())
	check(client.Set(ctx, key, `"one"`, 0).Err())
	commands, err := client.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.Set(ctx, key, `{"n":2}`, 0)
		pipe.Set(ctx, key, "3", 0)
		return nil
	})
	check(err)
	equal(len(commands), 2)
	_, err = client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i := 0; i < 500; i++ {
			pipe.Set(ctx, key, i, 0)
		}
		return nil
	})
	check(err)
	check(client.Close())

	client = subscriber(protocol)
	found := next(client, 2)
	equal([]any{found[0].Key, found[0].Value, found[0].Topic, found[0].Metadata == nil}, []any{key, "one", "test156", true})
	equal(found[1].Value, map[string]any{"n": 2.0})
	mark(client, found[0])
	check(client.Close()) // the second was read, not marked

	client = subscriber(protocol)
	found = next(client, 2)
	equal(found[0].Value, map[string]any{"n": 2.0})
	equal(found[1].Value, 3.0)
	mark(client, found[1])
	found = next(client, 500)
	for i, m := range found {
		equal(m.Value, float64(i))
	}
	mark(client, found[len(found)-1])
	equal(len(mget(client, "WAIT", 100)), 0)
	check(client.Close())

	wrong := strings.Replace(auth, "secret1", "wrong", 1) + "pub"
	client = redis.NewClient(&redis.Options{Addr: os.Args[1], Password: wrong, Protocol: protocol, MaxRetries: -1, TLSConfig: tlsConfig()})
	if err := client.Ping(ctx).Err(); err == nil || !strings.HasPrefix(err.Error(), "WRONGPASS") {
		log.Fatalf("a wrong secret: %v", err)
	}
	check(client.Close())
}

func check(err error) {
	if err != nil {
		log.Panic(err)
	}
}

func equal(got, want any) {
	if !reflect.DeepEqual(got, want) {
		log.Panicf("got %#v, want %#v", got, want)
	}
}
