"""The drivers' page: for a phone, Chinese and English."""

PAGE = """<!doctype html>
<html lang="zh"><head><meta charset="utf-8"><title>充电 · Charge</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body{font:17px/1.5 system-ui,sans-serif;margin:0 auto;max-width:28rem;padding:1rem;color:#1a1a1a}
label{display:block;margin:.6rem 0}select,input,button{font:inherit;width:100%;padding:.6rem;
box-sizing:border-box}button{margin:.4rem 0;border:0;border-radius:.5rem;background:#0a6e4f;color:#fff}
.card{border:1px solid #ccc;border-radius:.5rem;padding:.75rem;margin:.75rem 0}
progress{width:100%}small{color:#555}
</style></head><body>
<h1>充电 <small>Charge</small></h1>
<label>司机 Driver <select id="driver"></select></label>
<div class="card" id="money"></div>
<label>充电枪 Connector <select id="connector"></select></label>
<label>限额(元)Limit, yuan <input id="limit" type="number" min="1" value="50"></label>
<button id="start">开始充电 Start</button>
<button id="signin">登录互桩 Sign in at the hub</button>
<p id="said" role="status"></p><div id="charges"></div>
<script>
const $=id=>document.getElementById(id);
const yuan=fen=>(fen/100).toFixed(2)+" 元";
async function get(path){return (await fetch(path)).json();}
async function post(path,body){
  const r=await fetch(path,{method:"POST",body:JSON.stringify(body||{})});
  const a=await r.json();$("said").textContent=a.message||a.refusal||a.assertion||a.state||"";show();}
function option(value,words){const o=document.createElement("option");
  o.value=value;o.textContent=words;return o;}
function card(c){const d=document.createElement("div");d.className="card";
  const p=c.progress||{},b=document.createElement("b");b.textContent=c.connector+" · "+c.state;
  const t=document.createElement("div");
  t.textContent=((p.energy_wh||0)/1000).toFixed(3)+" kWh · "+yuan(p.amount_fen||0)+" · "
    +(p.power_w||0)+" W"+(p.seconds_left==null?"":" · 剩余 "+Math.ceil(p.seconds_left/60)+" min");
  d.append(b,t);
  if(p.percent!=null){const g=document.createElement("progress");g.max=100;g.value=p.percent;d.append(g);}
  if(["starting","charging","authorized","requested","paused"].includes(c.state)&&c.session_id){
    const s=document.createElement("button");s.textContent="停止 Stop";
    s.onclick=()=>post("/app/charges/"+c.session_id+"/stop");d.append(s);}
  return d;}
async function show(){
  const a=await get("/app/drivers/"+$("driver").value);
  $("money").textContent="余额 Balance "+yuan(a.balance_fen)+" · 预扣 Held "+yuan(a.held_fen)
    +(a.debt_fen?" · 欠款 Debt "+yuan(a.debt_fen):"");
  $("charges").replaceChildren(...a.charges.map(card));}
async function begin(){
  const d=await get("/app/drivers");
  $("driver").replaceChildren(...d.drivers.map(x=>option(x.driver_id,x.name)));
  $("driver").onchange=show;await show();setInterval(show,2000);
  const c=await get("/app/connectors");
  $("connector").replaceChildren(...(c.connectors||[]).map(
    x=>option(x.connector,x.station+" · "+x.connector)));}
$("start").onclick=()=>post("/app/charges",{driver:$("driver").value,
  connector:$("connector").value,limit_fen:Math.round($("limit").value*100)});
$("signin").onclick=()=>post("/app/assertions",{driver:$("driver").value});
begin();
</script></body></html>
"""
