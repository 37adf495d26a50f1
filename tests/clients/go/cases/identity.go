package cases

import (
	"fmt"
	"net/url"
)

// Forms are the ways to authenticate.
var Forms = []string{"auth-password", "auth-user-password", "auth-user-secret", "auth-url", "auth-url-secret", "auth-hello"}

// Identity is what AUTH wants.
type Identity struct{ Key, Secret, Group, Topic, Role string }

func (who Identity) Password() string {
	return fmt.Sprintf("%s:%s@%s/topic=%s&role=%s", who.Key, who.Secret, who.Group, who.Topic, who.Role)
}

func (who Identity) User() string {
	return fmt.Sprintf("%s@%s/topic=%s&role=%s", who.Key, who.Group, who.Topic, who.Role)
}

// URL has the whole string as password, URLSecret the two parts.
func (who Identity) URL(address string) string {
	return (&url.URL{Scheme: "redis", User: url.UserPassword("", who.Password()), Host: address}).String()
}

func (who Identity) URLSecret(address string) string {
	return (&url.URL{Scheme: "redis", User: url.UserPassword(who.User(), who.Secret), Host: address}).String()
}
