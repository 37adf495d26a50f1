// redigo.
package main

import (
	"strings"

	"databus/tests/clients/go/cases"

	"github.com/gomodule/redigo/redis"
)

func main() { cases.Run(cases.Library{Open: open, Once: "it never does"}) }

// open gives a pool, because a connection that broke stays broken.
func open(form string, who cases.Identity, address string, _ bool) (cases.Client, error) {
	var options []redis.DialOption
	url := ""
	switch form {
	case "auth-password":
		options = []redis.DialOption{redis.DialPassword(who.Password())}
	case "auth-user-password":
		options = []redis.DialOption{redis.DialUsername("default"), redis.DialPassword(who.Password())}
	case "auth-user-secret":
		options = []redis.DialOption{redis.DialUsername(who.User()), redis.DialPassword(who.Secret)}
	case "auth-url":
		url = who.URL(address)
	case "auth-url-secret":
		url = who.URLSecret(address)
	case "auth-hello":
		return nil, cases.NotOffered("it speaks RESP2 only")
	}
	dial := func() (redis.Conn, error) {
		if url != "" {
			return redis.DialURL(url)
		}
		return redis.Dial("tcp", address, options...)
	}
	return client{&redis.Pool{Dial: dial, MaxIdle: 2}}, nil
}

type client struct{ pool *redis.Pool }

func (c client) do(name string, arguments ...any) (any, error) {
	connection := c.pool.Get()
	defer connection.Close()
	return connection.Do(name, arguments...)
}

func (c client) Set(key string, value any) (any, error) { return c.do("SET", key, value) }
func (c client) Del(key string) (any, error)            { return c.do("DEL", key) }
func (c client) Close() error                           { return c.pool.Close() }

func (c client) HSet(key string, metadata []byte, value string) (any, error) {
	return c.do("HSET", key, metadata, value)
}

func (c client) MGet(words ...string) ([]any, error) {
	return redis.Values(c.do("MGET", redis.Args{}.AddFlat(words)...))
}

func (c client) Pipeline(key string, values []any, transaction bool) ([]any, error) {
	connection := c.pool.Get()
	defer connection.Close()
	names := strings.Fields(strings.Repeat("SET ", len(values)))
	if transaction {
		connection.Send("MULTI")
	}
	for i, name := range names {
		connection.Send(name, key, values[i])
	}
	if transaction {
		return redis.Values(connection.Do("EXEC"))
	}
	return redis.Values(connection.Do(""))
}
