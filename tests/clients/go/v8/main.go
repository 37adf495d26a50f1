// go-redis v8.
package main

import (
	"context"

	"databus/tests/clients/go/cases"

	"github.com/go-redis/redis/v8"
)

var ctx = context.Background()

func main() { cases.Run(cases.Library{Open: open, Once: "MaxRetries: -1"}) }

func open(form string, who cases.Identity, address string, once bool) (cases.Client, error) {
	options, err := &redis.Options{Addr: address}, error(nil)
	switch form {
	case "auth-password":
		options.Password = who.Password()
	case "auth-user-password":
		options.Username, options.Password = "default", who.Password()
	case "auth-user-secret":
		options.Username, options.Password = who.User(), who.Secret
	case "auth-url":
		options, err = redis.ParseURL(who.URL(address))
	case "auth-url-secret":
		options, err = redis.ParseURL(who.URLSecret(address))
	case "auth-hello":
		return nil, cases.NotOffered("RESP3 came with version 9")
	}
	if err != nil {
		return nil, err
	}
	if once {
		options.MaxRetries = -1
	}
	return client{redis.NewClient(options)}, nil
}

type client struct{ redis *redis.Client }

func (c client) Set(key string, value any) (any, error) {
	return c.redis.Set(ctx, key, value, 0).Result()
}
func (c client) Del(key string) (any, error)         { return c.redis.Del(ctx, key).Result() }
func (c client) MGet(words ...string) ([]any, error) { return c.redis.MGet(ctx, words...).Result() }
func (c client) Close() error                        { return c.redis.Close() }

// HSet of the library wants a number for a reply.
func (c client) HSet(key string, metadata []byte, value string) (any, error) {
	return c.redis.Do(ctx, "HSET", key, metadata, value).Result()
}

func (c client) Pipeline(key string, values []any, transaction bool) ([]any, error) {
	pipe := c.redis.Pipeline()
	if transaction {
		pipe = c.redis.TxPipeline()
	}
	for _, value := range values {
		pipe.Set(ctx, key, value, 0)
	}
	commands, err := pipe.Exec(ctx)
	var replies []any
	for _, command := range commands {
		replies = append(replies, command.(*redis.StatusCmd).Val())
	}
	return replies, err
}
