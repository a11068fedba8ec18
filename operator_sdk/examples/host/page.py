"""The host's page: connectors, and buttons for what a person does at a pile."""

PAGE = """<!doctype html>
<html lang="zh"><head><meta charset="utf-8"><title>设施运营商 · Host</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:48rem;padding:1rem;color:#1a1a1a}
.card{border:1px solid #ccc;border-radius:.5rem;padding:.75rem;margin:.75rem 0}
button,input{font:inherit;padding:.4rem .7rem;margin:.15rem}
.state{float:right;font-weight:600}small{color:#555}
</style></head><body>
<h1>充电桩 <small>Piles</small></h1>
<label>卡号 Card <input id="card" value="B2000001"></label>
<div id="connectors"></div><h2>会话 <small>Sessions</small></h2><div id="sessions"></div>
<p id="said" role="status"></p>
<script>
const $=id=>document.getElementById(id);
const yuan=fen=>(fen/100).toFixed(2)+" 元";
async function post(path,body){
  const r=await fetch(path,{method:"POST",body:JSON.stringify(body)});
  $("said").textContent=JSON.stringify(await r.json());show();}
function button(words,act){const b=document.createElement("button");
  b.textContent=words;b.onclick=act;return b;}
function card(title,state,detail,buttons){const d=document.createElement("div");
  d.className="card";const t=document.createElement("b");t.textContent=title;
  const s=document.createElement("span");s.className="state";s.textContent=state;
  const p=document.createElement("div");p.textContent=detail;d.append(t,s,p,...buttons);return d;}
async function show(){
  const c=await (await fetch("/local/connectors")).json();
  $("connectors").replaceChildren(...c.connectors.map(x=>{
    const at="/local/connectors/"+x.connector_id;
    return card(x.connector_id+" "+x.kind.toUpperCase(),x.state,
      "电表 meter "+(x.meter_wh/1000).toFixed(3)+" kWh",[
      button("刷卡 Tap",()=>post(at+"/tap",{card:$("card").value})),
      button("故障 Fault",()=>post(at+"/fault",{faulted:x.state!=="faulted"})),
      button(x.plugged?"拔枪 Unplug":"插枪 Plug",()=>post(at+"/plug",{plugged:!x.plugged}))]);}));
  const s=await (await fetch("/local/sessions")).json();
  $("sessions").replaceChildren(...s.sessions.map(x=>card(x.session_id,x.state,
    (x.energy_wh/1000).toFixed(3)+" kWh · "+yuan(x.amount_fen)+" · "+x.power_w+" W · "
    +x.numbers.acknowledged.length+"/"+x.numbers.made.length
    +(x.record?" · 订单 record "+x.record.state:"")
    +(x.settlement?" · 已扣款 settled "+yuan(x.settlement.driver_amount_fen):""),
    ["starting","charging"].includes(x.state)
      ?[button("停止 Stop",()=>post("/local/sessions/"+x.session_id+"/stop",{}))]:[])));}
show();setInterval(show,2000);
</script></body></html>
"""
