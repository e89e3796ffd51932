using Floodgate.Access;
using Floodgate.Access.Identity;
using Floodgate.Access.RateLimits;
using Floodgate.Tests.Docs;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Floodgate.Tests.Access;

// Goal: every route lets in exactly those whom it names, also a route that is added tomorrow. Method: the table of
// routes; each is called as nobody, with unknown keys and tokens, and as every kind of caller.
public sealed class When_everyone_calls_every_route
{
    private const string Password = "correct horse battery";

    private static readonly Who[] Kinds =
        [Who.MerchantKey, Who.AdminKey, Who.Buyer, Who.MerchantUser, Who.AdminUser];

    [Fact]
    public async Task Exactly_those_get_in_whom_it_names()
    {
        await using var server = await TestServer.StartAsync();
        var services = server.Services;
        var merchant = await services.GetRequiredService<ApiKeys>().CreateMerchantAsync("Acme", null, default);
        var users = services.GetRequiredService<UserBook>();
        await users.CreateAsync("buyer@example.com", Password, Role.Buyer, null, default);
        await users.CreateAsync("merchant@example.com", Password, Role.Merchant, merchant.MerchantId, default);
        await users.CreateAsync("admin@example.com", Password, Role.Admin, null, default);

        var wrong = new List<string>();
        foreach (var route in await AllRoutesAsync())
        {
            foreach (var nobody in new[] { null, "fg_live_unknown", "a.b.c" })
            {
                await CheckAsync(route, nobody, $"as nobody ({nobody})", isNamed: route.Who == Who.Public, 401);
            }

            foreach (var kind in Kinds)
            {
                var isNamed = route.Who == Who.Public || (route.Who & kind) != 0;
                await CheckAsync(route, await KeyAsync(kind), $"as {kind}", isNamed, 403);
            }
        }

        Assert.Empty(wrong);

        async Task CheckAsync(Route route, string? key, string who, bool isNamed, int otherwise)
        {
            var path = PathOf(route);
            var body = route.Method is "POST" or "PUT" ? "[]" : null;
            using var response = await server.SendAsync(route.Method, path, key, body, "Idempotency-Key: k");
            var status = (int)response.StatusCode;
            if (isNamed ? status is 401 or 403 or >= 500 and not 503 : status != otherwise)
            {
                wrong.Add($"{route.Method} {route.Pattern} {who}: {status}");
            }
        }

        // New for each call, because one of the routes ends the session.
        async Task<string> KeyAsync(Who kind) => kind switch
        {
            Who.MerchantKey => merchant.Key!,
            Who.AdminKey => ApiKeys.DemoAdminKey,
            Who.Buyer => await TokenAsync("buyer"),
            Who.MerchantUser => await TokenAsync("merchant"),
            _ => await TokenAsync("admin"),
        };

        async Task<string> TokenAsync(string name) => (await services.GetRequiredService<SessionBook>()
            .LogInAsync($"{name}@example.com", Password, null, default)).Tokens!.Access;
    }

    // Goal: no kind of caller is forgotten above. Method: the kinds together are all that a route can name.
    [Fact]
    public void Every_kind_of_caller_is_tried() => Assert.Equal(
        Enum.GetValues<Who>().Aggregate((all, who) => all | who), Kinds.Aggregate((all, who) => all | who));

    /// <summary>A path of the route, of nothing that is there.</summary>
    internal static string PathOf(Route route)
    {
        var path = route.Pattern.Replace("{id}", $"{Guid.Empty}").Replace("{keyId}", $"{Guid.Empty}")
            .Replace("{userId}", "u-1").Replace("{ticket}", $"{Guid.Empty}").Replace("{name}", "nothing")
            .Replace("{date}", "2001-01-01");
        Assert.DoesNotContain('{', path);
        return path;
    }

    /// <summary>The table of routes.</summary>
    internal static async Task<IReadOnlyList<Route>> AllRoutesAsync()
    {
        var directory = Path.Combine(Path.GetTempPath(), "floodgate-" + Path.GetRandomFileName());
        var (app, _) = DocsServer.Build(directory);
        await using (app)
        {
            var routes = new Routes(
                app,
                app.Services.GetRequiredService<ApiKeys>(),
                app.Services.GetRequiredService<SessionBook>(),
                app.Services.GetRequiredService<RateLimitHttp>(),
                isDemo: true);
            Roles.Map(routes, app.Services, "all");
            Assert.NotEmpty(routes.All);
            await app.DisposeAsync();
            Directory.Delete(directory, recursive: true);
            return routes.All;
        }
    }
}
