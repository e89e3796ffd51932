using Floodgate.Load.Audit;
using Floodgate.Load.Target;
using Floodgate.Load.Traffic;

namespace Floodgate.Load.Order;

/// <summary>A user of the platform: the id under which its orders are listed, and its token.</summary>
internal sealed record PlatformUser(Guid Id, string Token);

/// <summary>
/// What the orders of a run meet: the sale, the seller and the buyers. A mixed run has two merchants of its own,
/// because a part of an order can only be given back when another part stays, and users of the platform, because only
/// they may buy of several merchants at once.
/// </summary>
internal sealed record OrderStage(
    SaleOnSite Sale,
    string MerchantKey,
    string? SecondMerchantId,
    IReadOnlyList<PlatformUser> Users)
{
    /// <summary>First number of the buyers whose wallet is empty.</summary>
    public const int PoorFirst = 900_000_000;

    private const long UnitsAmple = 100_000_000;
    private const string Password = "correct horse battery staple 1";

    /// <summary>Sets it all up through the API.</summary>
    public static async Task<OrderStage> BuildAsync(Session session, OrderPlan plan, CancellationToken cancel)
    {
        var setup = new SaleSetup(session);
        if (!plan.Mixed)
        {
            var products = Enumerable.Repeat(new ProductSpec(UnitsAmple), plan.Products).ToList();
            var sale = await setup.CreateAsync(new SaleSpec(products), cancel);
            return await FilledAsync(session, plan, new(sale, session.Address.MerchantKey, null, []), cancel);
        }

        var api = session.Api.Sales;
        var first = await api.CreateMerchantAsync(
            $"Load {session.RunId} first", $"{session.RunId}-first", cancel);
        var second = await api.CreateMerchantAsync(
            $"Load {session.RunId} second", $"{session.RunId}-second", cancel);
        var both = new SaleSpec(
            [
                .. Enumerable.Repeat(new ProductSpec(UnitsAmple) { MerchantId = first.MerchantId }, plan.Products),
                new ProductSpec(UnitsAmple) { MerchantId = second.MerchantId },
            ],
            OfMerchant: false);
        var users = new List<PlatformUser>();
        foreach (var merchant in (string[])[first.MerchantId, second.MerchantId])
        {
            await api.LiftLimitsAsync(merchant, cancel); // The limits of a new merchant are not what is measured.
        }

        session.Tell($"signing up {plan.PlatformUsers} users");
        for (var i = 0; i < plan.PlatformUsers; i++)
        {
            var (id, token) = await api.LogInNewUserAsync($"load-{session.RunId}-{i}@example.com", Password, cancel);
            users.Add(new PlatformUser(id, token));
        }

        var stage = new OrderStage(await setup.CreateAsync(both, cancel), first.Key, second.MerchantId, users);
        return await FilledAsync(session, plan, stage, cancel);
    }

    /// <summary>The user id that order number <paramref name="number"/> is listed under.</summary>
    public string BuyerOf(string runId, int number, OrderKind kind, OrderPlan plan) =>
        kind == OrderKind.PartlyCancelled
            ? Users[UserOf(number)].Id.ToString()
            : Buyers.NameOf(runId, BuyerNumber(number, kind, plan));

    /// <summary>
    /// Which user of the platform places order number <paramref name="number"/>: one after the other, because each may
    /// place so many a minute.
    /// </summary>
    public int UserOf(int number) => number / OrderPlan.KindsEvery % Users.Count;

    /// <summary>The number of the buyer; those with wallets buy again and again.</summary>
    public static int BuyerNumber(int number, OrderKind kind, OrderPlan plan) => kind switch
    {
        OrderKind.WithoutCover => PoorFirst + number,
        OrderKind.Repeated => BuyerNumber(number - 1, OrderKind.Plain, plan),
        _ => plan.ByWallet ? number % plan.Wallets : number,
    };

    private static async Task<OrderStage> FilledAsync(
        Session session, OrderPlan plan, OrderStage stage, CancellationToken cancel)
    {
        if (plan.ByWallet)
        {
            var each = ((plan.OrdersMax + plan.WarmUp) / plan.Wallets) + 2;
            await new SaleSetup(session).FillWalletsAsync(
                plan.Wallets, 2 * each * ProductSpec.PriceMinor, stage.MerchantKey, cancel);
        }

        return stage;
    }
}
