import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;

/** What AUTH wants, and the ways to say it. */
public record Identity(String key, String secret, String group, String topic, String role) {
    public String password() { return key + ":" + secret + "@" + group + "/topic=" + topic + "&role=" + role; }
    public String user() { return key + "@" + group + "/topic=" + topic + "&role=" + role; }
    public String url(String host, int port) { return "redis://:" + quote(password()) + "@" + host + ":" + port; }
    public String urlSecret(String host, int port) { return "redis://" + quote(user()) + ":" + quote(secret) + "@" + host + ":" + port; }
    private static String quote(String text) { return URLEncoder.encode(text, StandardCharsets.UTF_8); }
}
